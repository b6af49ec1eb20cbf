"""Half precision: the network with weights, activations and cache of 16 bits, as GPUs compute it.

The residual stream has 16 bits like the rest. In float32 it would lower the error of the logits by a fifth on the
embedded checkpoint and by two fifths on 24 random layers, of which perplexity shows nothing: with all of the network in
16 bits it grows by 0.01 % (float16) and 0.05 % (bfloat16) at most, with outliers and without. The price would be four
conversions a layer, where a GPU's step is bound by the number of its operations. The largest values met in the residual
stream are 33 and 14, where float16 reaches 65,504; a model with larger ones needs bfloat16. The CUDA kernels of
normalization and products add up in float32 whatever type they read.
"""

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import onnx_ir as ir

from biogpt_onnx.export.exporter import save_second_graph
from biogpt_onnx.export.graph.causal_lm import build_causal_graph, build_causal_lm
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.export.graph.sublayers import FUSED
from biogpt_onnx.export.graph.weights import attach_lazily
from biogpt_onnx.quantize.bundle_weights import ReadWeight
from biogpt_onnx.runtime.bundle import CAUSAL_MODEL_FILE, ClassificationHead, GraphSpec
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import BundleError


def half_model(
    architecture: Architecture, read: ReadWeight, dtype: ir.DataType, head: ClassificationHead | None = None
) -> ir.Model:
    """Builds a bundle's first graph in half precision; only its logits and hidden states are float32.

    Args:
        architecture: network's shape.
        read: reads its weights in float32; they are read and rounded when the model is written, one at a time. Values
            that are too small for the type become 0.
        dtype: float16; or bfloat16, which has float32's range, and three bits of precision less than float16.
        head: classification head; None for a language model.

    Raises:
        BundleError: a weight is too large for the type; names the first one.
    """
    model = build_causal_lm(architecture, dataclasses.replace(LayerChoices.fp32(architecture), dtype=dtype), head)
    for name, parameter in _without_values(model):
        _check_range(name, read, dtype)
        attach_lazily(parameter, partial(_rounded, name, read, dtype))
    return model


def save_causal_graph(architecture: Architecture, dtype: ir.DataType, folder: Path) -> GraphSpec:
    """Writes a bundle's causal graph beside its first graph, whose weights it shares.

    Args:
        architecture: network's shape.
        dtype: type of the first graph's weights.
        folder: bundle's folder, with the first graph and its weights in it.

    Returns:
        The causal graph's inputs and outputs.
    """
    choices = dataclasses.replace(LayerChoices.fp32(architecture), dtype=dtype, sublayers=FUSED)
    return save_second_graph(build_causal_graph(architecture, choices), folder / CAUSAL_MODEL_FILE)


def _without_values(model: ir.Model) -> list[tuple[str, ir.Value]]:
    return [(name, value) for name, value in model.graph.initializers.items() if value.const_value is None]


def _rounded(name: str, read: ReadWeight, dtype: ir.DataType) -> ir.TensorProtocol:
    return ir.tensor(read(name).astype(dtype.numpy()), name=name)


def _check_range(name: str, read: ReadWeight, dtype: ir.DataType) -> None:
    largest = np.abs(read(name)).max()
    with np.errstate(over="ignore"):
        fits = np.isfinite(largest.astype(dtype.numpy()))
    if not fits:
        remedy = "take the recipe bf16" if dtype == ir.DataType.FLOAT16 else "keep float32"
        raise BundleError(f"the weight {name} reaches {largest:.6g}, beyond {dtype.name.lower()}: {remedy}")
