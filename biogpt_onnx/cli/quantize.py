"""Makes a smaller bundle of a float32 one."""

import argparse
from pathlib import Path

from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.cli.text_arguments import documents, share
from biogpt_onnx.runtime.errors import BundleError, ConfigError

NAME = "quantize"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a float32 bundle that `biogpt-onnx export` wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument(
        "--recipe",
        required=True,
        metavar="NAME",
        help="int8: 8-bit weights and activations; int8-weights: 8-bit weights; int4: 4-bit weights; "
        "int8-dynamic: ONNX Runtime's own, to compare with",
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        help="text such as the model will see, a passage a line; by default a built-in one",
    )
    parser.add_argument(
        "--text", metavar="FILE", help="text to evaluate the result with, a document a line; by default a built-in one"
    )
    parser.add_argument(
        "--max-perplexity-increase",
        type=share,
        metavar="SHARE",
        help="exit with 1 where perplexity grew by more (default 0.5%% for 8 bits, 5%% for 4); the bundle stays",
    )
    parser.add_argument("--no-evaluation", action="store_true", help="do not compare the result with the original")
    parser.add_argument("--overwrite", action="store_true", help="replace the bundle that stands there")


def run(options: argparse.Namespace) -> int:
    """Runs the command: 1 where the result was written but is worse than allowed."""
    try:
        # Imported here, as the runtime's commands must not need what only quantization needs.
        from biogpt_onnx.quantize.proof import prove
        from biogpt_onnx.quantize.quantizer import quantize_bundle
        from biogpt_onnx.quantize.recipes import RECIPES
    except ImportError as error:
        raise BundleError(f'quantize needs more packages ({error}): pip install "biogpt-onnx[export]"') from error
    if options.recipe not in RECIPES:
        raise ConfigError(f"recipe is {options.recipe!r}: choose one of {', '.join(RECIPES)}")
    recipe = RECIPES[options.recipe]
    calibration, texts = (None if name is None else documents(name) for name in (options.calibration, options.text))
    with Progress("writing weights") as progress:
        manifest = quantize_bundle(
            options.bundle, options.output, recipe, texts=calibration, overwrite=options.overwrite, progress=progress
        )
    print(
        f"{options.output}: {manifest.recipe} bundle of {manifest.source}, {manifest.num_bytes / 1e6:,.1f} MB",
        flush=True,
    )
    if options.no_evaluation:
        return 0
    most = options.max_perplexity_increase
    most = recipe.max_perplexity_increase if most is None else most
    with Progress("evaluating") as progress:
        evaluation = prove(options.output, options.bundle, most, texts=texts, progress=progress)
    print(evaluation.table(most))
    return 0 if evaluation.passed(most) else 1
