"""Bundle to smaller bundle: calibrate, smooth, build the graph with packed weights, save, record."""

import dataclasses
import importlib.metadata
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import onnx_ir as ir

from biogpt_onnx._version import __version__
from biogpt_onnx.export.exporter import Progress, save_model
from biogpt_onnx.export.graph.causal_lm import build_causal_lm
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.quantize.blocks import Blocks
from biogpt_onnx.quantize.bundle_weights import BundleWeights
from biogpt_onnx.quantize.calibration import input_magnitudes
from biogpt_onnx.quantize.calibration_text import CALIBRATION_TEXTS
from biogpt_onnx.quantize.dynamic import save_dynamic
from biogpt_onnx.quantize.layers import BlockHead, BlockLinear, BlockTable, RowLinear
from biogpt_onnx.quantize.packing import PackedWeights
from biogpt_onnx.quantize.recipes import Recipe
from biogpt_onnx.quantize.smoothing import smoothed, smoothing
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.architecture import Architecture
from biogpt_onnx.runtime.bundle import Manifest, check_files, read_manifest
from biogpt_onnx.runtime.bundle_writer import write_bundle
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.providers import import_onnxruntime

_COPIED = (bundle.CONFIG_FILE, bundle.VOCAB_FILE, bundle.MERGES_FILE)
_TOOLS = ("numpy", "onnx", "onnx-ir")


def quantize_bundle(  # noqa: PLR0913 -- what, where to, how, and three settings
    source: Path,
    target: Path,
    recipe: Recipe,
    *,
    texts: Sequence[str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Manifest:
    """Writes a float32 bundle anew in a smaller precision. The runtime loads both alike.

    Args:
        source: a float32 bundle.
        target: the new bundle's folder; it appears when everything is written.
        recipe: one of `RECIPES`.
        texts: what to calibrate with, such as the prompts that the model will see; by default a built-in text.
        overwrite: whether a bundle that stands at `target` is replaced.
        progress: called after each weight.

    Raises:
        BundleError: the source is missing, damaged, quantized already or holds NaN or infinity; or the target stands
            in the way or cannot be written.
        ConfigError: there is no text to calibrate with.
    """
    manifest = _read_source(source, target)
    weights = BundleWeights(source)
    with write_bundle(target, overwrite=overwrite) as writer:
        weights.check_finite()
        model_path = writer.folder / bundle.MODEL_FILE
        if recipe.body is None:
            save_dynamic(source, model_path, progress)
        else:
            model = _packed_model(source, manifest.architecture, recipe, weights, texts)
            save_model(model, model_path, progress)
        for name in _COPIED:
            shutil.copyfile(source / name, writer.folder / name)
        return writer.finish(
            dataclasses.replace(manifest, precision=recipe.precision, recipe=recipe.name, tools=_tools(manifest))
        )


def layer_choices(architecture: Architecture, recipe: Recipe, packed: PackedWeights) -> LayerChoices:
    """The layers of a recipe; `packed` learns how to make their weights."""
    choices = dataclasses.replace(
        LayerChoices.fp32(architecture),
        embedding=partial(BlockTable, packed=packed, blocks=recipe.table),
        head=partial(BlockHead, packed=packed, blocks=recipe.table),
    )
    if not isinstance(recipe.body, Blocks):
        return dataclasses.replace(choices, linear=partial(RowLinear, packed=packed))
    spare_row = recipe.batch_invariant and recipe.body.bits == 4  # noqa: PLR2004 -- bits
    linear = partial(BlockLinear, packed=packed, blocks=recipe.body, spare_row=spare_row)
    return dataclasses.replace(choices, linear=linear)


def _read_source(source: Path, target: Path) -> Manifest:
    manifest = read_manifest(source)
    if manifest.precision != "fp32":
        made_by = f" by the recipe {manifest.recipe}" if manifest.recipe else ""
        raise BundleError(
            f"{source} is quantized already ({manifest.precision}{made_by}): quantize the fp32 bundle that "
            "`biogpt-onnx export` wrote"
        )
    check_files(source, manifest)
    if target.resolve() == source.resolve():
        raise BundleError(f"{target} is the bundle to read: choose another folder to write")
    return manifest


def _packed_model(
    source: Path, architecture: Architecture, recipe: Recipe, weights: BundleWeights, texts: Sequence[str] | None
) -> ir.Model:
    magnitudes = input_magnitudes(source, architecture, weights, CALIBRATION_TEXTS if texts is None else texts)
    packed = PackedWeights()
    model = build_causal_lm(architecture, layer_choices(architecture, recipe, packed))
    packed.attach(model, smoothed(weights.read, smoothing(architecture, weights.read, magnitudes)))
    return model


def _tools(manifest: Manifest) -> dict[str, str]:
    wrote_it = {name: importlib.metadata.version(name) for name in _TOOLS}
    wrote_it |= {"biogpt-onnx": __version__, "onnxruntime": str(import_onnxruntime().__version__)}
    # What exported the float32 bundle stays on record where it was something else.
    return {**manifest.tools, **wrote_it}
