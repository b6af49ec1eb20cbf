"""Answers questions about contexts."""

import argparse
from dataclasses import replace
from pathlib import Path

from biogpt_onnx.cli.labels_file import read_labels
from biogpt_onnx.cli.model_arguments import add_bundle_argument
from biogpt_onnx.cli.task_arguments import add_row_arguments, chosen_task, loaded, reading

NAME = "ask"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    add_row_arguments(parser, "contexts with their questions, as JSON lines, CSV or TSV, or contexts alone")
    parser.add_argument(
        "--question", default="", metavar="TEXT", help="what is asked about contexts without a question"
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help="the answers that there are, one a line")


def run(options: argparse.Namespace) -> int:
    """Runs the command: 1 where some rows had no answer."""
    from biogpt_onnx.cli.task_rows import answer_rows
    from biogpt_onnx.tasks import PUBMEDQA, Document

    labels = None if options.labels is None else read_labels(options.labels)
    model = loaded(options, options.bundle)
    task = chosen_task([PUBMEDQA], None, model)
    task = task if labels is None else replace(task, labels=labels)

    def completed(document: Document) -> Document:
        return document if document.question.strip() else replace(document, question=options.question)

    return answer_rows(options, task, model, reading(options, "error"), completed=completed)
