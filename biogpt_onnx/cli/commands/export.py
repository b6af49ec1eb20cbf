"""The command `export`: turns a checkpoint into a bundle."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from biogpt_onnx.cli.arguments.checkpoint import add_checkpoint_arguments, checkpoint_options
from biogpt_onnx.cli.manifest_lines import generation_lines
from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.tasks.registry import fine_tuned_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder in Hugging Face or fairseq form, a fairseq .pt file, a hub id (organisation/name), "
        "or preset:biogpt or preset:biogpt-large for random weights of those sizes",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace the bundle that stands there")
    parser.add_argument(
        "--layout",
        choices=["bundle", "optimum"],
        default="bundle",
        help="bundle: for this package's runtime (default); optimum: for optimum's ORTModelForCausalLM",
    )
    parser.add_argument(
        "--task",
        choices=fine_tuned_names(),
        help="what the checkpoint was fine-tuned for, where neither its name nor its form says",
    )
    parser.add_argument(
        "--ignore-generation-config",
        action="store_true",
        help="do not make the decoding of generation_config.json the bundle's default; its end tokens are kept",
    )
    add_checkpoint_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    # It needs packages of the extra `export`.
    from biogpt_onnx.export import export_checkpoint

    with Progress("writing weights") as progress:
        export = export_checkpoint(
            options.source,
            options.output,
            layout=options.layout,
            task=options.task,
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
    task = f", fine-tuned for {manifest.task}" if manifest.task else ""
    if manifest.head is not None:
        task = f", {manifest.head.kind} with {manifest.head.num_labels} labels"
    _print_notes([*export.notes, *generation_lines(manifest).values()])
    size = f"{manifest.num_bytes / 1e6:,.1f} MB"
    print(f"{options.output}: {manifest.precision} bundle of {export.source}{task}, {size}")
    return 0


def _print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
