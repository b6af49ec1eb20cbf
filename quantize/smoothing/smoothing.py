"""Outliers move from activations into weights, so that 8 bits are enough for both.

SmoothQuant (Xiao et al. 2022, arXiv:2211.10438): a feature of a linear layer's input is divided by a factor and the
weights that take it are multiplied by the same. Where another linear operation makes that input, the division goes
into its weights, and nothing is left to do when the model runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from biogpt_onnx.quantize.bundle_weights import ReadWeight, Values
from biogpt_onnx.runtime.bundle.architecture import Architecture

# Half of an outlier stays with the activation, half goes to the weights (alpha of the paper, its choice for OPT).
_ALPHA = 0.5


@dataclass(frozen=True)
class Scaling:
    """Factors of a weight's rows (its output features) and columns (its input features); None leaves them alone."""

    rows: Values | None = None
    columns: Values | None = None

    def apply(self, weight: Values) -> Values:
        """[out, in], or [out] where there are no columns."""
        if self.rows is not None:
            weight = weight * (self.rows if weight.ndim == 1 else self.rows[:, None])
        return weight if self.columns is None else weight * self.columns


def smoothing(architecture: Architecture, read: ReadWeight, magnitudes: Mapping[str, Values]) -> dict[str, Scaling]:
    """Factors for the weights that smooth the inputs of qkv, fc1 and the attention's output layer.

    The input of fc2 stays as it is: it comes out of a GELU, through which nothing can be moved.

    Args:
        architecture: the network's shape.
        read: its weights.
        magnitudes: see `input_magnitudes`.

    Returns:
        By a weight's name, what to multiply it by. The network computes the same with all of them.
    """
    scalings: dict[str, Scaling] = {}
    for index in range(architecture.num_layers):
        layer = f"layers.{index}"
        scalings |= _smooth_attention(layer, read, magnitudes)
        factors = _factors(magnitudes[f"{layer}.feed_forward.fc1"], read(f"{layer}.feed_forward.fc1.weight"))
        scalings |= _into_norm(f"{layer}.feed_forward_norm", factors)
        scalings[f"{layer}.feed_forward.fc1.weight"] = Scaling(columns=factors)
    return scalings


def smoothed(read: ReadWeight, scalings: Mapping[str, Scaling]) -> ReadWeight:
    """Reads weights with their factors."""
    return lambda name: scalings.get(name, Scaling()).apply(read(name))


def _smooth_attention(layer: str, read: ReadWeight, magnitudes: Mapping[str, Values]) -> dict[str, Scaling]:
    qkv, out = f"{layer}.attention.qkv", f"{layer}.attention.out"
    # Attention mixes each channel of the values by itself: a factor of the mix is a factor of the value.
    out_factors = _factors(magnitudes[out], read(f"{out}.weight"))
    ones = np.ones(2 * len(out_factors), dtype=np.float32)
    rows = Scaling(rows=np.concatenate([ones, np.reciprocal(out_factors)]))
    qkv_factors = _factors(magnitudes[qkv], rows.apply(read(f"{qkv}.weight")))
    return _into_norm(f"{layer}.attention_norm", qkv_factors) | {
        f"{qkv}.weight": Scaling(rows=rows.rows, columns=qkv_factors),
        f"{qkv}.bias": rows,
        f"{out}.weight": Scaling(columns=out_factors),
    }


def _into_norm(norm: str, factors: Values) -> dict[str, Scaling]:
    divided = Scaling(rows=np.reciprocal(factors))
    return {f"{norm}.weight": divided, f"{norm}.bias": divided}


def _factors(magnitude: Values, weight: Values) -> Values:
    """Factors of a layer's input features, from their magnitude [in] and the weight [out, in].

    Powers of two: dividing and multiplying by these loses nothing, and the last bits of a magnitude, which differ from
    machine to machine, do not show in the bundle.
    """
    largest = np.abs(weight).max(axis=0)
    usable = (magnitude > 0) & (largest > 0)
    # A feature that is never there, or that nothing takes, needs no factor.
    exponents = _ALPHA * np.log2(np.where(usable, magnitude, 1)) - (1 - _ALPHA) * np.log2(np.where(usable, largest, 1))
    return np.exp2(np.rint(exponents)).astype(np.float32)
