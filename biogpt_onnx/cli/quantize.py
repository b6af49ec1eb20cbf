"""Makes a smaller bundle of a float32 one."""

import argparse
from pathlib import Path

from biogpt_onnx.cli.progress import Progress
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
        type=Path,
        metavar="FILE",
        help="text such as the model will see, one passage a line; by default a built-in one",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the bundle that stands there")


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    try:
        # Imported here, as the runtime's commands must not need what only quantization needs.
        from biogpt_onnx.quantize.quantizer import quantize_bundle
        from biogpt_onnx.quantize.recipes import RECIPES
    except ImportError as error:
        raise BundleError(f'quantize needs more packages ({error}): pip install "biogpt-onnx[export]"') from error
    if options.recipe not in RECIPES:
        raise ConfigError(f"recipe is {options.recipe!r}: choose one of {', '.join(RECIPES)}")
    texts = None if options.calibration is None else _read_texts(options.calibration)
    with Progress("writing weights") as progress:
        manifest = quantize_bundle(
            options.bundle,
            options.output,
            RECIPES[options.recipe],
            texts=texts,
            overwrite=options.overwrite,
            progress=progress,
        )
    print(f"{options.output}: {manifest.recipe} bundle of {manifest.source}, {manifest.num_bytes / 1e6:,.1f} MB")
    return 0


def _read_texts(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: convert it first") from error
