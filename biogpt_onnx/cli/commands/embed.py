"""The command `embed`: turns documents into vectors."""

import argparse
from typing import get_args

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument
from biogpt_onnx.cli.arguments.tasks import add_row_arguments, load_model, reading_settings
from biogpt_onnx.cli.task_rows import answer_rows
from biogpt_onnx.files.text.json_lines import JsonLines
from biogpt_onnx.files.vectors import SUFFIX, Vectors
from biogpt_onnx.runtime.embedding import Pooling
from biogpt_onnx.tasks.heads import EmbeddingTask, check_head


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    add_row_arguments(parser, "documents as text, JSON lines, CSV, TSV, PubTator or BioC", generates=False)
    parser.add_argument(
        "--pooling",
        choices=get_args(Pooling),
        default="mean",
        help="the vector is the mean over all tokens (default), or that of the last one",
    )
    parser.add_argument("--normalize", action="store_true", help="divide each vector by its Euclidean norm")


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if some rows have no vector."""
    model = load_model(options, options.bundle)
    check_head(model, "embed")
    task = EmbeddingTask(options.pooling, options.normalize, options.normalize_punctuation)
    reading = reading_settings(options, "error")
    as_array = options.output is not None and options.output.name.lower().endswith(SUFFIX)
    output_format = Vectors(model.manifest.architecture.hidden_size) if as_array else JsonLines()
    return answer_rows(options, task, model, reading, output_format)
