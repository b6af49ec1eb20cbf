"""Classifies documents."""

import argparse
from dataclasses import replace
from pathlib import Path

from biogpt_onnx.cli.labels_file import read_labels
from biogpt_onnx.cli.model_arguments import add_bundle_argument
from biogpt_onnx.cli.task_arguments import add_row_arguments, chosen_task, loaded, reading

NAME = "classify"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    add_row_arguments(parser, "sentences as text, JSON lines, CSV, TSV, PubTator or BioC")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="the labels that there are, one a line")


def run(options: argparse.Namespace) -> int:
    """Runs the command: 1 where some rows had no answer."""
    from biogpt_onnx.cli.task_rows import answer_rows
    from biogpt_onnx.tasks import HOC

    labels = None if options.labels is None else read_labels(options.labels)
    model = loaded(options, options.bundle)
    task = chosen_task([HOC], None, model)
    if labels is not None:
        task = replace(task, labels=labels, alone=tuple(label for label in task.alone if label in labels))
    return answer_rows(options, task, model, reading(options, "error"))
