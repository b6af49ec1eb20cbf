"""The command `export`: turns a checkpoint into a bundle."""

import argparse
import sys
from collections.abc import Iterable

from biogpt_onnx.cli.arguments.checkpoint import add_checkpoint_arguments, checkpoint_options
from biogpt_onnx.cli.arguments.names import non_empty, non_empty_path
from biogpt_onnx.cli.manifest_lines import generation_lines
from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.definitions.reading import SUFFIX
from biogpt_onnx.tasks.definitions.suggestions import did_you_mean
from biogpt_onnx.tasks.registry import TASK_SPECS, fine_tuned_names, task_spec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "source",
        type=non_empty,
        metavar="SOURCE",
        help="a folder in Hugging Face or fairseq form, a fairseq .pt file, a hub id (organisation/name), "
        "or preset:biogpt or preset:biogpt-large for random weights of those sizes",
    )
    parser.add_argument("-o", "--output", type=non_empty_path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace the bundle that stands there")
    parser.add_argument(
        "--layout",
        choices=["bundle", "optimum"],
        default="bundle",
        help="bundle: for this package's runtime (default); optimum: for optimum's ORTModelForCausalLM",
    )
    parser.add_argument(
        "--task",
        type=non_empty,
        metavar="TASK",
        help="what the checkpoint was fine-tuned for, where neither its name nor its form says: "
        f"{', '.join(fine_tuned_names())}, the name of a task of your own, or a TOML file that defines it",
    )
    parser.add_argument(
        "--ignore-generation-config",
        action="store_true",
        help="do not make the decoding of generation_config.json the bundle's default; its end tokens are kept",
    )
    add_checkpoint_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    task = None if options.task is None else _task_name(options.task)
    # It needs packages of the extra `export`.
    from biogpt_onnx.export import export_checkpoint

    with Progress("writing weights") as progress:
        export = export_checkpoint(
            options.source,
            options.output,
            layout=options.layout,
            task=task,
            overwrite=options.overwrite,
            **checkpoint_options(options),
            ignore_generation_config=options.ignore_generation_config,
            progress=progress,
        )
    manifest = export.manifest
    if manifest is None:
        _print_notes(export.notes)
        print(f"{options.output}: optimum layout of {export.source}")
        return 0
    what = f", fine-tuned for {manifest.task}" if manifest.task else ""
    if manifest.head is not None:
        what = f", {manifest.head.kind} with {manifest.head.num_labels} labels"
    _print_notes([*export.notes, *generation_lines(manifest).values()])
    size = f"{manifest.num_bytes / 1e6:,.1f} MB"
    print(f"{options.output}: {manifest.precision} bundle of {export.source}{what}, {size}")
    return 0


def _task_name(given: str) -> str:
    """Returns the name to record; of a task that is not known, a note says so, because it may be mistyped.

    Raises:
        ConfigError: No checkpoint is fine-tuned for the task, its file is malformed, or the name is empty.
        OSError: The file cannot be read.
    """
    is_file = given.lower().endswith(SUFFIX)
    if not is_file and given not in TASK_SPECS:
        if not given.strip() or not given.isprintable():
            raise ConfigError(f"--task is {given!r}: give the name of a task, or a TOML file that defines one")
        hint = did_you_mean(given, TASK_SPECS)
        _print_notes([f"{given!r} is none of the known tasks{hint}: commands need a TOML file that defines it"])
        return given
    spec = task_spec(given)
    if not spec.fine_tuned:
        raise ConfigError(f"--task is {given}, for which no checkpoint is fine-tuned: leave it out")
    return spec.name


def _print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
