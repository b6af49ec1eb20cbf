"""Scores what a bundle answers on documents whose answers are known."""

import argparse
from pathlib import Path

from biogpt_onnx.cli.model_arguments import add_bundle_argument
from biogpt_onnx.cli.task_arguments import add_given_entities, add_task_arguments, add_task_choice
from biogpt_onnx.runtime.bundle import TASKS

NAME = "evaluate-task"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    parser.add_argument(
        "--gold", type=Path, required=True, metavar="FILE", help="documents and answers, in the task's published form"
    )
    add_task_choice(parser, TASKS)
    parser.add_argument(
        "--baseline", type=Path, metavar="BUNDLE", help="another bundle to compare with, on each document"
    )
    parser.add_argument("--entities", type=Path, metavar="FILE", help="of bc5cdr: names and their MeSH ids")
    parser.add_argument(
        "--training", type=Path, metavar="FILE", help="of hoc and pubmedqa: gold in which the majority is counted"
    )
    parser.add_argument(
        "--annotated-only", action="store_true", help="of relations: leave out documents that have none"
    )
    add_given_entities(parser, "the gold of bc5cdr")
    parser.add_argument("--last", type=int, metavar="N", help="only the last N documents")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="of hoc and pubmedqa: draw the calibration to a .svg or .png file"
    )
    add_task_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    from biogpt_onnx.cli.task_scores import score

    return score(options)
