"""SmoothQuant: outliers move from activations into weights, so that 8 bits are enough for both.

Xiao et al. 2022, arXiv:2211.10438: a feature of a linear layer's input is divided by a factor, and the weights that
multiply it are multiplied by the same. Where another linear operation makes that input, the division goes into its
weights, so that it costs nothing when the model runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from biogpt_onnx.quantize.bundle_weights import ReadWeight, Values
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.linear_layers import DecoderLinears, decoder_linears

ALPHA = 0.5
"""Share of an outlier that goes to the weights: alpha of the paper, its choice for OPT."""


@dataclass(frozen=True)
class Scaling:
    """Factors of a weight.

    Attributes:
        rows: factor of each row (output feature); None for no change.
        columns: factor of each column (input feature); None for no change.
    """

    rows: Values | None = None
    columns: Values | None = None

    def apply(self, weight: Values) -> Values:
        """Returns the scaled weight, [out, in], or [out] where there are no columns."""
        if self.rows is not None:
            weight = weight * (self.rows if weight.ndim == 1 else self.rows[:, None])
        return weight if self.columns is None else weight * self.columns


def smoothing(
    architecture: Architecture, read: ReadWeight, magnitudes: Mapping[str, Values], alpha: float = ALPHA
) -> dict[str, Scaling]:
    """Returns factors for the weights that smooth the inputs of qkv, attention output and fc1.

    The input of fc2 is left as it is, because it comes out of a GELU, through which no factor can be moved.

    Args:
        architecture: network's shape.
        read: reads its weights.
        magnitudes: largest magnitude of each feature of the input, by the linear layer's name; see `input_magnitudes`.
        alpha: share of an outlier that goes to the weights, from 0 to 1.

    Returns:
        Factors by the weight's name. With all of them the network computes the same as without.
    """
    scalings: dict[str, Scaling] = {}
    for index in range(architecture.num_layers):
        layer, linears = f"layers.{index}", decoder_linears(architecture, index)
        scalings |= _smooth_attention(f"{layer}.attention_norm", linears, read, magnitudes, alpha)
        fc1 = linears.fc1.name
        factors = _factors(magnitudes[fc1], read(f"{fc1}.weight"), alpha)
        scalings |= _divide_norm(f"{layer}.feed_forward_norm", factors)
        scalings[f"{fc1}.weight"] = Scaling(columns=factors)
    return scalings


def smoothed(read: ReadWeight, scalings: Mapping[str, Scaling]) -> ReadWeight:
    """Returns a reader of weights that multiplies them with their factors."""
    return lambda name: scalings.get(name, Scaling()).apply(read(name))


def _smooth_attention(
    norm: str, linears: DecoderLinears, read: ReadWeight, magnitudes: Mapping[str, Values], alpha: float
) -> dict[str, Scaling]:
    qkv, out = linears.qkv.name, linears.attention_output.name
    # Attention mixes each channel of the values by itself: a factor of the mix is a factor of the value.
    out_factors = _factors(magnitudes[out], read(f"{out}.weight"), alpha)
    ones = np.ones(2 * len(out_factors), dtype=np.float32)
    rows = Scaling(rows=np.concatenate([ones, np.reciprocal(out_factors)]))
    qkv_factors = _factors(magnitudes[qkv], rows.apply(read(f"{qkv}.weight")), alpha)
    return _divide_norm(norm, qkv_factors) | {
        f"{qkv}.weight": Scaling(rows=rows.rows, columns=qkv_factors),
        f"{qkv}.bias": rows,
        f"{out}.weight": Scaling(columns=out_factors),
    }


def _divide_norm(norm: str, factors: Values) -> dict[str, Scaling]:
    divided = Scaling(rows=np.reciprocal(factors))
    return {f"{norm}.weight": divided, f"{norm}.bias": divided}


def _factors(magnitude: Values, weight: Values, alpha: float) -> Values:
    """Returns factors of a layer's input features, from their magnitude [in] and the weight [out, in].

    They are powers of two: dividing and multiplying by these loses nothing, and the last bits of a magnitude, which
    differ from machine to machine, do not change the bundle.
    """
    largest = np.abs(weight).max(axis=0)
    usable = (magnitude > 0) & (largest > 0)
    # A feature that is always 0, or whose weights all are, needs no factor.
    exponents = alpha * np.log2(np.where(usable, magnitude, 1)) - (1 - alpha) * np.log2(np.where(usable, largest, 1))
    return np.exp2(np.rint(exponents)).astype(np.float32)
