"""Describes terms."""

import argparse
from dataclasses import replace

from biogpt_onnx.cli.model_arguments import add_bundle_argument
from biogpt_onnx.cli.task_arguments import add_row_arguments, chosen_task, loaded, reading

NAME = "describe"

_SETTINGS = {
    "num_beams": "beams",
    "min_new_tokens": "tokens before which a text does not end",
    "max_new_tokens": "most tokens of a text",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    add_row_arguments(parser, "terms as text, JSON lines, CSV or TSV")
    for name, what in _SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=f"{what} (default Microsoft's)")


def run(options: argparse.Namespace) -> int:
    """Runs the command: 1 where some rows had no answer."""
    from biogpt_onnx.cli.task_rows import answer_rows
    from biogpt_onnx.tasks import DESCRIPTION

    asked = {name: value for name in _SETTINGS if (value := getattr(options, name)) is not None}
    task = replace(DESCRIPTION, config=DESCRIPTION.config.replace(**asked))
    model = loaded(options, options.bundle)
    chosen_task([task], None, model)
    return answer_rows(options, task, model, reading(options, "error"))
