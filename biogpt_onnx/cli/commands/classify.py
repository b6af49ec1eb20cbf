"""The command `classify`: classifies documents."""

import argparse

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
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks import ClassificationTask
from biogpt_onnx.tasks.definitions.own_labels import with_labels
from biogpt_onnx.tasks.heads import TextClassificationTask, check_head
from biogpt_onnx.tasks.registry import tasks_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    add_row_arguments(parser, "sentences as text, JSON, CSV, TSV, PubTator or BioC")
    add_drawing(parser)
    add_task_choice(parser, [task.name for task in tasks_of(ClassificationTask)])
    add_min_score(parser, "labels")
    parser.add_argument("--labels", type=non_empty_path, metavar="FILE", help="the labels that there are, one a line")


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if some rows have no answer."""
    output_format(options)
    labels = None if options.labels is None else read_labels(options.labels)
    asked = asked_task(ClassificationTask, options.task)
    model = load_model(options, options.bundle)
    if model.manifest.head is not None:
        return _classify_by_head(options, model)
    task = with_settings(choose_task(ClassificationTask, asked, model), options)
    if labels is not None:
        task = with_labels(task, labels)
    return answer_rows(options, task, model, reading_settings(options, "error"), drawing_or(JsonLines(), options))


def _classify_by_head(options: argparse.Namespace, model: BioGPT) -> int:
    check_head(model, "classify")
    for name in ("task", "labels", "free", "min_score"):
        if getattr(options, name) not in {None, False}:
            raise ConfigError(
                f"--{name.replace('_', '-')} is for a model that generates its answer, the bundle has a classification "
                "head with labels of its own: leave it out"
            )
    labels = () if model.manifest.head is None else model.manifest.head.labels
    task = TextClassificationTask(options.normalize_punctuation, labels)
    return answer_rows(options, task, model, reading_settings(options, "error"), drawing_or(JsonLines(), options))
