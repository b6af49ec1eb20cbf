"""What the manifest of a bundle that is made smaller records beside its source's."""

import dataclasses
from collections.abc import Sequence

import onnx_ir as ir

from biogpt_onnx.export.graph.causal_lm import tensor_specs
from biogpt_onnx.quantize.calibration.cache_scales import CacheScales
from biogpt_onnx.quantize.calibration.static_scales import StaticScales, scale_texts
from biogpt_onnx.quantize.data.texts import texts_digest
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.recipes import BLOCK_SIZE, NEAREST, Recipe
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import GraphSpec, Manifest


def with_graph(manifest: Manifest, model: ir.Model) -> Manifest:
    """Returns the manifest of a float32 bundle with the inputs and outputs of the graph that is made from it.

    They differ where an earlier version wrote the float32 bundle, or where the graph computes in half precision.
    """
    return dataclasses.replace(
        manifest, inputs=tensor_specs(model.graph.inputs), outputs=tensor_specs(model.graph.outputs)
    )


def with_activations(manifest: Manifest, recipe: Recipe, static: StaticScales) -> Manifest:
    """Returns the manifest with how a recipe quantizes the inputs of its products."""
    layers = [name for name in static.products if isinstance(recipe.packing(name), Rows)]
    return dataclasses.replace(manifest, activations=static.record(layers) if layers else None)


def with_quantized_cache(manifest: Manifest, scales: CacheScales) -> Manifest:
    """Returns the manifest of a bundle whose steps have a cache in 8 bits."""
    cache = {"type": bundle.CACHE_TYPE, "tokens": scales.tokens}
    return dataclasses.replace(manifest, cache=cache, format_version=bundle.QUANTIZED_CACHE_FORMAT_VERSION)


def with_steps(manifest: Manifest, steps: GraphSpec) -> Manifest:
    """Returns the manifest of a bundle whose sequences step by a graph of their own."""
    return dataclasses.replace(manifest, steps=steps, format_version=bundle.STEPS_FORMAT_VERSION)


def with_packing(manifest: Manifest, recipe: Recipe) -> Manifest:
    """Returns the manifest with what was chosen for weights of 4 bits in its lineage, where it is not the recipe's own.

    Args:
        manifest: manifest of the new bundle so far.
        recipe: recipe that packed its weights.
    """
    chosen: dict[str, object] = {}
    if recipe.rounding != NEAREST:
        chosen["rounding"] = recipe.rounding
    if recipe.block_size not in {None, BLOCK_SIZE}:
        chosen["block_size"] = recipe.block_size
    return dataclasses.replace(manifest, lineage=dict(manifest.lineage or {}) | chosen) if chosen else manifest


def with_calibration(manifest: Manifest, texts: Sequence[str] | None) -> Manifest:
    """Returns the manifest with the text that quantization read in its lineage.

    Args:
        manifest: manifest of the new bundle so far.
        texts: passages that were given; None for the built-in ones.
    """
    read = scale_texts(texts)
    record = {
        "text": "built-in" if texts is None else "given",
        "passages": len(read),
        "sha256": texts_digest(read),
    }
    return dataclasses.replace(manifest, lineage=dict(manifest.lineage or {}) | {"calibration": record})
