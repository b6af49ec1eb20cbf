"""Arguments of the commands that run tasks."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, get_args

from biogpt_onnx.cli.arguments.bundle import add_session_arguments
from biogpt_onnx.cli.arguments.inputs import add_input_arguments
from biogpt_onnx.cli.arguments.outputs import add_output_arguments, output_file
from biogpt_onnx.files.records import OutputFormat
from biogpt_onnx.files.text.drawing import Drawing
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.loading import load
from biogpt_onnx.tasks import Document, Reading, RunnableTask, TooLong, check_task
from biogpt_onnx.tasks.prompts.building import WINDOW_TOKENS

TaskT = TypeVar("TaskT", bound=RunnableTask[Any])


def add_row_arguments(parser: argparse.ArgumentParser, rows: str, *, generates: bool = True) -> None:
    """Adds the input file and the output file, and the settings of reading and decoding.

    Args:
        parser: The command's parser.
        rows: The help's words for the rows of the input.
        generates: True for a command that generates text, which can be free and in batches.
    """
    add_input_arguments(parser, rows)
    add_output_arguments(parser)
    if generates:
        add_task_arguments(parser)
    else:
        parser.set_defaults(free=False, batch_size=None)
        add_reading_arguments(parser)
        add_session_arguments(parser)


def add_drawing(parser: argparse.ArgumentParser) -> None:
    """Adds --draw."""
    parser.add_argument(
        "--draw", action="store_true", help="draw the results for people to look at, instead of writing JSON lines"
    )


def drawing_or(output_format: OutputFormat, options: argparse.Namespace) -> OutputFormat:
    """Returns the drawing of results with --draw, else the format that is given."""
    if not options.draw:
        return output_format
    return Drawing() if output_file(options) is not None else Drawing.for_standard_output()


def add_given_entities(parser: argparse.ArgumentParser, where: str) -> None:
    """Adds --given-entities.

    Args:
        parser: The command's parser.
        where: The help's words for the input that names the entities.
    """
    parser.add_argument(
        "--given-entities",
        action="store_true",
        help=f"make relations of the entities that {where} names alone, instead of any words of the document",
    )


def entity_filter(options: argparse.Namespace) -> Callable[[Document], Document]:
    """Returns the function that keeps a document's named entities with --given-entities, and else removes them.

    With --given-entities a document that names none gets no entities, so it has no relations; without, its entities
    are None, so relations hold between any of its words.
    """

    def filtered(document: Document) -> Document:
        return replace(document, entities=(document.entities or ()) if options.given_entities else None)

    return filtered


def add_task_choice(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Adds --task if there is more than one task to choose."""
    parser.set_defaults(task=None)
    if len(names) > 1:
        parser.add_argument(
            "--task",
            choices=names,
            help="what the checkpoint was fine-tuned for, where the bundle does not say",
        )


def add_task_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the settings of prompt building, decoding and batches."""
    parser.add_argument(
        "--free",
        action="store_true",
        help="let the model write what it likes, instead of keeping it to the document's words and the known labels",
    )
    add_reading_arguments(parser)
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help="documents that are decoded together (default 8, on a GPU 32)",
    )
    add_session_arguments(parser)


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the settings of prompt building."""
    parser.add_argument(
        "--too-long",
        choices=get_args(TooLong),
        help="a document that is too long is an error, is read up to the last sentence that fits, or is read in "
        "overlapping windows whose results are combined",
    )
    parser.add_argument(
        "--window-tokens",
        type=int,
        default=WINDOW_TOKENS,
        metavar="N",
        help=f"the most tokens of a window (default {WINDOW_TOKENS}, about an abstract)",
    )
    parser.add_argument(
        "--normalize-punctuation", action="store_true", help="read typographic punctuation as ASCII, as the model needs"
    )


def load_model(options: argparse.Namespace, bundle: Path) -> BioGPT:
    """Loads a bundle as the options say, and sets the default batch size of its device in the options.

    Raises:
        ConfigError: --batch-size is below 1.
    """
    if options.batch_size is not None and options.batch_size < 1:
        raise ConfigError(f"--batch-size is {options.batch_size}: give a whole number of 1 or more")
    model = load(bundle, device=options.device, threads=options.threads)
    options.batch_size = options.batch_size or model.default_batch_size
    return model


def reading_settings(options: argparse.Namespace, too_long: TooLong) -> Reading:
    """Returns the settings of prompt building.

    Args:
        options: The command's options.
        too_long: Handling of long documents if no option gives it.
    """
    return Reading(
        options.too_long or too_long,
        normalize_punctuation=options.normalize_punctuation,
        window_tokens=options.window_tokens,
    )


def choose_task(tasks: Sequence[TaskT], name: str | None, model: BioGPT) -> TaskT:
    """Returns the task that was asked for or, if none was, that of the bundle.

    Args:
        tasks: The tasks to choose from.
        name: The name of the task that was asked for; None for none.
        model: The bundle.

    Raises:
        ConfigError: Neither names the task, or the bundle is for another one.
    """
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
