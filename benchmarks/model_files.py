"""Checkpoints and bundles made for measurements."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from safetensors.numpy import save_file

from benchmarks.full_size import PRESET
from benchmarks.processes import Ended, run_to_end
from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.names import to_huggingface
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.export.huggingface_files import write_huggingface_files
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import BLOCK_SIZE, BLOCK_SIZES, RECIPES, with_block_size

FLOAT32 = "fp32"
"""Name of the float32 bundle beside those of the recipes."""

BLOCK_VARIANTS = {
    f"int4, blocks of {size}": with_block_size(RECIPES["int4"], size) for size in BLOCK_SIZES if size != BLOCK_SIZE
}
"""The recipe int4 with blocks of other sizes than its own, by name."""

_MADE = RECIPES | BLOCK_VARIANTS
_DEFAULT_RECIPES = (FLOAT32, "int8", "int8-weights", "int4")


def write_safetensors(checkpoint: Checkpoint, folder: Path, dtype: str) -> Path:
    """Writes a checkpoint as a new Hugging Face folder and returns the folder. Needs memory for all weights.

    Args:
        checkpoint: the weights and vocabulary.
        folder: where to write; must not exist.
        dtype: "float32" or "float16".
    """
    folder.mkdir()
    write_huggingface_files(checkpoint, folder)
    tensors = {to_huggingface(name): tensor.read().astype(dtype) for name, tensor in checkpoint.tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def export_in_process(source: str, bundle: Path) -> Ended:
    """Exports a bundle by the command line, in a process of its own that fails if it imports torch.

    Returns:
        How long the process ran, and the peak of its anonymous memory.

    Raises:
        RuntimeError: the export failed.
    """
    program = (
        "import sys; from biogpt_onnx.cli import main; code = main(sys.argv[1:]); "
        "sys.exit(code or ('torch' in sys.modules))"
    )
    return run_to_end([sys.executable, "-c", program, "export", source, "-o", str(bundle)], watch_memory=True)


def make_recipe_bundles(folder: Path, recipes: Sequence[str]) -> dict[str, Path]:
    """Writes the float32 bundle of BioGPT's size and a bundle of each recipe, each in the folder of its name.

    Args:
        folder: where to write.
        recipes: names of `RECIPES` and of `BLOCK_VARIANTS`; `FLOAT32` among them is ignored.

    Returns:
        The bundles by name, the float32 one first.
    """
    bundles = {FLOAT32: folder / FLOAT32}
    export_bundle(open_checkpoint(PRESET), bundles[FLOAT32])
    for recipe in recipes:
        if recipe != FLOAT32:
            bundles[recipe] = folder / recipe
            quantize_bundle(bundles[FLOAT32], bundles[recipe], _MADE[recipe])
    return bundles


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that choose what `chosen_bundles` returns."""
    parser.add_argument("--recipes", nargs="+", choices=[FLOAT32, *_MADE], default=list(_DEFAULT_RECIPES))
    parser.add_argument("--bundles", type=Path, help="a folder with a bundle of each recipe's name, made before")


def chosen_bundles(options: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """Returns the bundles of the recipes that the arguments name, by recipe; those that were not made before are made.

    Args:
        options: values of the arguments.
        folder: where to write.
    """
    if options.bundles is not None:
        return {recipe: options.bundles / recipe for recipe in options.recipes}
    made = make_recipe_bundles(folder, options.recipes)
    return {recipe: made[recipe] for recipe in options.recipes}
