"""The arguments of every command that does a task."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from biogpt_onnx.cli.model_arguments import add_session_arguments
from biogpt_onnx.files.formats import FORMATS, STANDARD_INPUT
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.loading import load

if TYPE_CHECKING:
    # What every command would wait for when it starts.
    from biogpt_onnx.tasks import Document, Reading, RunnableTask, TooLong

_BATCH_SIZE, _BATCH_SIZE_ON_GPU = 8, 32
"""A step takes a GPU hardly longer for more, until their caches fill its memory: 6 GB for 32 of 2,048 tokens."""

TaskT = TypeVar("TaskT", bound="RunnableTask[object]")


def add_row_arguments(parser: argparse.ArgumentParser, rows: str) -> None:
    """Adds where rows come from and where results go; `rows` says what a row is."""
    parser.add_argument(
        "file", nargs="?", default=STANDARD_INPUT, metavar="FILE", help=f"{rows}; - or nothing for standard input"
    )
    parser.add_argument(
        "--format", choices=FORMATS, help="of the file, where its name does not say (standard input: text, one a line)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="results go here, and an interrupted run goes on where it was"
    )
    parser.add_argument("--restart", action="store_true", help="give up what an interrupted run has done")
    parser.add_argument("--overwrite", action="store_true", help="replace the output that is there")
    add_task_arguments(parser)


def add_given_entities(parser: argparse.ArgumentParser, where: str) -> None:
    """Adds --given-entities; `where` says what names them."""
    parser.add_argument(
        "--given-entities",
        action="store_true",
        help=f"make relations of the entities that {where} names alone, instead of any words of the document",
    )


def completed_entities(options: argparse.Namespace) -> "Callable[[Document], Document]":
    """What becomes of what a document names: with --given-entities it is all there is, and nothing without names."""

    def complete(document: "Document") -> "Document":
        return replace(document, entities=(document.entities or ()) if options.given_entities else None)

    return complete


def add_task_choice(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Adds --task, where there is more than one to choose."""
    parser.add_argument(
        "--task",
        choices=names,
        help="what the checkpoint was fine-tuned for, where the bundle does not say",
    )


def add_task_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds how documents are read and decoded."""
    parser.add_argument(
        "--free",
        action="store_true",
        help="let the model write what it likes, instead of keeping it to the document's words and the known labels",
    )
    parser.add_argument(
        "--too-long",
        choices=["error", "cut"],
        help="a document that is too long is an error, or is read up to the last sentence that fits",
    )
    parser.add_argument(
        "--normalize-punctuation", action="store_true", help="read typographic punctuation as ASCII, as the model needs"
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help=f"documents that are decoded together (default {_BATCH_SIZE}, on a GPU {_BATCH_SIZE_ON_GPU})",
    )
    add_session_arguments(parser)


def loaded(options: argparse.Namespace, bundle: Path) -> BioGPT:
    """The bundle as the options say; how many documents are decoded together is settled by where it runs."""
    if options.batch_size is not None and options.batch_size < 1:
        raise ConfigError(f"--batch-size is {options.batch_size}: give a whole number of 1 or more")
    model = load(bundle, device=options.device, threads=options.threads)
    options.batch_size = options.batch_size or (_BATCH_SIZE if model.device == "cpu" else _BATCH_SIZE_ON_GPU)
    return model


def reading(options: argparse.Namespace, too_long: "TooLong") -> "Reading":
    """How documents become prompts; `too_long` is what becomes of long ones where no option says it."""
    from biogpt_onnx.tasks import Reading

    return Reading(options.too_long or too_long, normalize_punctuation=options.normalize_punctuation)


def chosen_task(tasks: Sequence[TaskT], name: str | None, model: BioGPT) -> TaskT:
    """The task that was asked for, or that the bundle is for.

    Raises:
        ConfigError: neither says, or the bundle is for another task.
    """
    from biogpt_onnx.tasks import check_task

    known = {task.name: task for task in tasks}
    wanted = name or model.manifest.task
    if wanted is None and len(known) == 1:
        (wanted,) = known
    if wanted is None:
        raise ConfigError(f"the bundle does not say what it is for: say --task {' or --task '.join(known)}")
    if wanted not in known:
        raise ConfigError(f"the bundle is fine-tuned for {wanted}, not for {' or '.join(known)}: use another bundle")
    task = known[wanted]
    check_task(task, model)
    return task
