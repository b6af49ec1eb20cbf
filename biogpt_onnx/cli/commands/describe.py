"""The command `describe`: describes terms."""

import argparse
from dataclasses import replace

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument
from biogpt_onnx.cli.arguments.outputs import output_format
from biogpt_onnx.cli.arguments.tasks import (
    add_description_arguments,
    add_row_arguments,
    add_task_choice,
    asked_task,
    choose_task,
    description_settings,
    load_model,
    reading_settings,
)
from biogpt_onnx.cli.task_rows import answer_rows
from biogpt_onnx.tasks import DESCRIPTION, DescriptionTask
from biogpt_onnx.tasks.registry import tasks_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    add_row_arguments(parser, "terms as text, JSON, CSV or TSV")
    add_task_choice(parser, [task.name for task in tasks_of(DescriptionTask)])
    add_description_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if some rows have no answer."""
    output_format(options)
    asked = description_settings(options)
    # A bad value is refused before the model is loaded.
    known = asked_task(DescriptionTask, options.task)
    (known or DESCRIPTION).config.replace(**asked)
    model = load_model(options, options.bundle)
    task = choose_task(DescriptionTask, known, model)
    task = replace(task, config=task.config.replace(**asked))
    return answer_rows(options, task, model, reading_settings(options, "error"))
