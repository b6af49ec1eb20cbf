"""The command `evaluate`: compares a bundle's outputs with those of its float32 baseline."""

import argparse
from pathlib import Path

from biogpt_onnx.cli.arguments.bundle import (
    add_bundle_argument,
    add_memory_check_argument,
    add_session_arguments,
    check_expected,
)
from biogpt_onnx.cli.arguments.names import non_empty, non_empty_path
from biogpt_onnx.cli.arguments.text import documents, share
from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.bundle.target import refuse_inputs, refuse_inside
from biogpt_onnx.runtime.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    parser.add_argument(
        "--baseline",
        type=non_empty_path,
        required=True,
        metavar="BUNDLE",
        help="the float32 bundle that it was made from",
    )
    parser.add_argument(
        "--text",
        type=non_empty,
        required=True,
        metavar="FILE",
        help="UTF-8 text, a document a line, empty lines skipped; - for standard input",
    )
    parser.add_argument(
        "--max-perplexity-increase",
        type=share,
        metavar="SHARE",
        help="exit with 1 where perplexity grew by more than this share of the baseline's, such as 0.5%% or 0.005",
    )
    parser.add_argument(
        "--prompts",
        type=int,
        default=16,
        metavar="N",
        help="have the beginnings of so many documents continued (default 16; 0 for none)",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON, each document's figures too")
    parser.add_argument(
        "--plot", type=non_empty_path, metavar="FILE", help="draw each layer's error to a .svg or .png file"
    )
    add_session_arguments(parser)
    add_memory_check_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if perplexity grew by more than an allowed share."""
    from biogpt_onnx.quantize import Evaluation, evaluate_bundle
    from biogpt_onnx.quantize.evaluate.plot import check_plot, plot_layer_errors

    check_expected(options)
    if read_manifest(options.bundle).head is not None:
        _refuse_language_model_options(options)
    elif options.plot is not None:
        check_plot(options.plot)
        bundles = (options.bundle, options.baseline)
        refuse_inputs(options.plot, (*bundles, Path(options.text)))
        refuse_inside(options.plot, bundles)
    texts = documents(options.text)
    with Progress("evaluating") as progress:
        evaluation = evaluate_bundle(
            options.bundle,
            options.baseline,
            texts,
            device=options.device,
            threads=options.threads,
            prompts=options.prompts,
            check_memory=options.check_memory,
            progress=progress,
        )
    if not isinstance(evaluation, Evaluation):
        print(evaluation.to_json() if options.json else evaluation.table())
        return 0
    most = options.max_perplexity_increase
    print(evaluation.to_json(most) if options.json else evaluation.table(most))
    if options.plot is not None:
        plot_layer_errors(evaluation, options.plot)
    return 0 if most is None or evaluation.passed(most) else 1


def _refuse_language_model_options(options: argparse.Namespace) -> None:
    for name in ("max_perplexity_increase", "plot"):
        if getattr(options, name) is not None:
            option = "--" + name.replace("_", "-")
            raise ConfigError(f"{option} is for language models, the bundle is a classifier: leave it out")
