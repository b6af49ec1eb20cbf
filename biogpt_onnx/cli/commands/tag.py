"""The command `tag`: labels the tokens of documents, and finds entities."""

import argparse
from typing import get_args

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument
from biogpt_onnx.cli.arguments.tasks import add_row_arguments, load_model, reading_settings
from biogpt_onnx.cli.task_rows import answer_rows
from biogpt_onnx.runtime.classification.entities import AggregationStrategy
from biogpt_onnx.tasks.heads import TaggingTask, check_head


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    add_row_arguments(parser, "documents as text, JSON lines, CSV, TSV, PubTator or BioC", generates=False)
    parser.add_argument(
        "--aggregation-strategy",
        choices=get_args(AggregationStrategy),
        default="first",
        help="a word's label is that of its first token (default), the best on average, that of its most certain "
        "token, or each token is a word (simple)",
    )


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if some rows have no answer."""
    model = load_model(options, options.bundle)
    check_head(model, "tag")
    labels = () if model.manifest.head is None else model.manifest.head.labels
    task = TaggingTask(options.aggregation_strategy, options.normalize_punctuation, labels)
    return answer_rows(options, task, model, reading_settings(options, "error"))
