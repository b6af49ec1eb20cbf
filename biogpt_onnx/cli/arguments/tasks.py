"""Arguments of the commands that run tasks."""

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from biogpt_onnx.cli.arguments.bundle import add_memory_arguments, add_session_arguments
from biogpt_onnx.cli.arguments.inputs import add_input_arguments
from biogpt_onnx.cli.arguments.names import non_empty
from biogpt_onnx.cli.arguments.outputs import add_output_arguments, output_file
from biogpt_onnx.files.records import OutputFormat
from biogpt_onnx.files.text.drawing import Drawing
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.loading import load
from biogpt_onnx.tasks import (
    TASK_SPECS,
    Document,
    Reading,
    RunnableTask,
    SpecifiedTask,
    TooLong,
    check_task,
    task_spec,
)
from biogpt_onnx.tasks.prompts.building import WINDOW_TOKENS
from biogpt_onnx.tasks.registry import spec_of_bundle
from biogpt_onnx.tasks.spec import TaskKind

TaskT = TypeVar("TaskT", bound=RunnableTask[Any])
SpecifiedT = TypeVar("SpecifiedT", bound=SpecifiedTask)

_COMMANDS: Mapping[TaskKind, str] = {
    "relation extraction": "relations",
    "question answering": "ask",
    "classification": "classify",
    "description": "describe",
}

_DESCRIPTION_SETTINGS = {
    "num_beams": "of descriptions: beams",
    "min_new_tokens": "of descriptions: tokens before which a text does not end",
    "max_new_tokens": "of descriptions: most tokens of a text",
}


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
        add_memory_arguments(parser)


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
    """Adds --task.

    Args:
        parser: The command's parser.
        names: The names of the registered tasks that the command does.
    """
    parser.add_argument(
        "--task",
        type=non_empty,
        metavar="TASK",
        help=f"what the checkpoint was fine-tuned for, where the bundle does not say: {', '.join(names)}, or a TOML "
        "file that defines a task",
    )


def add_min_score(parser: argparse.ArgumentParser, what: str) -> None:
    """Adds --min-score.

    Args:
        parser: The command's parser.
        what: The help's words for what is left out.
    """
    parser.add_argument(
        "--min-score", type=float, metavar="P", help=f"leave out {what} less probable than this, from 0 to 1"
    )


def add_self_relations(parser: argparse.ArgumentParser) -> None:
    """Adds --allow-self-relations."""
    parser.add_argument(
        "--allow-self-relations",
        action="store_true",
        help="keep relations of an entity with itself or with a part of itself",
    )


def add_description_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the settings of decoding that descriptions have."""
    for name, what in _DESCRIPTION_SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=f"{what} (default the task's)")


def description_settings(options: argparse.Namespace) -> dict[str, int]:
    """Returns the settings of decoding that the options give, by name."""
    return {name: value for name in _DESCRIPTION_SETTINGS if (value := getattr(options, name)) is not None}


def with_settings(task: TaskT, options: argparse.Namespace) -> TaskT:
    """Returns a task with the settings of its own that --min-score and --allow-self-relations give.

    Raises:
        ConfigError: The task has no such setting, or the value is bad.
    """
    asked: dict[str, Any] = {}
    if options.min_score is not None:
        asked["min_score"] = options.min_score
    if getattr(options, "allow_self_relations", False):
        asked["distinct"] = False
    names = {field.name for field in dataclasses.fields(cast("Any", task))}
    if not asked.keys() <= names:
        option = "--min-score" if "min_score" not in names else "--allow-self-relations"
        raise ConfigError(f"{option} is no setting of {task.name}: leave it out")
    try:
        return cast("TaskT", replace(cast("Any", task), **asked)) if asked else task
    except ConfigError as error:
        if options.min_score is None:
            raise
        raise ConfigError(f"--min-score is {options.min_score:g}: give a number from 0 to 1") from error


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
    add_memory_arguments(parser)


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
        "--max-source-tokens",
        type=int,
        metavar="N",
        help="a document with more tokens is too long; Microsoft's scripts have 640 (default: as many as fit)",
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
    model = load(
        bundle,
        device=options.device,
        threads=options.threads,
        expect=options.expect,
        max_positions=options.max_positions,
        check_memory=options.check_memory,
    )
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
        max_source_tokens=options.max_source_tokens,
    )


def asked_task(task_type: type[SpecifiedT], name: str | None) -> SpecifiedT | None:
    """Returns the task that --task names or defines; None without the option.

    It is called before the model is loaded, which takes long.

    Args:
        task_type: The class of the tasks that the command does.
        name: The option's value.

    Raises:
        ConfigError: There is no such task, its file is malformed, or it is one of another command.
        OSError: The file cannot be read.
    """
    if name is None:
        return None
    found = task_spec(name)
    if not isinstance(found.task, task_type):
        raise ConfigError(
            f"--task is {name}, a task of {found.kind}: use the command {_COMMANDS[found.kind]}, or give another task"
        )
    return found.task


def choose_task(task_type: type[SpecifiedT], asked: SpecifiedT | None, model: BioGPT) -> SpecifiedT:
    """Returns the task that was asked for or, if none was, that of the bundle.

    Args:
        task_type: The class of the tasks to choose from.
        asked: The task that was asked for; None for none.
        model: The bundle.

    Raises:
        ConfigError: Neither names the task, or the bundle is for another one.
    """
    task = asked
    if task is None:
        specs = [spec for spec in TASK_SPECS.values() if isinstance(spec.task, task_type)]
        task = cast("SpecifiedT", spec_of_bundle(model.manifest, specs).task)
    check_task(task, model)
    return task
