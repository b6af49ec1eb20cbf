"""The command `ask`: answers questions about contexts."""

import argparse
from dataclasses import replace

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument
from biogpt_onnx.cli.arguments.labels import read_labels
from biogpt_onnx.cli.arguments.names import non_empty_path
from biogpt_onnx.cli.arguments.outputs import output_format
from biogpt_onnx.cli.arguments.tasks import (
    add_drawing,
    add_min_score,
    add_row_arguments,
    add_task_choice,
    asked_task,
    choose_task,
    drawing_or,
    load_model,
    reading_settings,
    with_settings,
)
from biogpt_onnx.cli.task_rows import answer_rows
from biogpt_onnx.files.text.json_lines import JsonLines
from biogpt_onnx.tasks import AnswerTask, Document
from biogpt_onnx.tasks.registry import tasks_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    add_row_arguments(
        parser, "contexts with their questions, as JSON, CSV, TSV or in PubMedQA's forms, or contexts alone"
    )
    add_drawing(parser)
    add_task_choice(parser, [task.name for task in tasks_of(AnswerTask)])
    parser.add_argument(
        "--question", default="", metavar="TEXT", help="what is asked about contexts without a question"
    )
    parser.add_argument(
        "--with-conclusion",
        action="store_true",
        help="show the model each abstract's conclusion too (the field conclusion, or PubMedQA's long_answer): an "
        "easier task",
    )
    add_min_score(parser, "answers")
    parser.add_argument("--labels", type=non_empty_path, metavar="FILE", help="the answers that there are, one a line")


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if some rows have no answer."""
    output_format(options)
    labels = None if options.labels is None else read_labels(options.labels)
    asked = asked_task(AnswerTask, options.task)
    model = load_model(options, options.bundle)
    task = with_settings(choose_task(AnswerTask, asked, model), options)
    task = task if labels is None else replace(task, labels=labels)

    def with_question(document: Document) -> Document:
        return document if document.question.strip() else replace(document, question=options.question)

    return answer_rows(
        options,
        task,
        model,
        reading_settings(options, "error"),
        drawing_or(JsonLines(), options),
        completed=with_question,
    )
