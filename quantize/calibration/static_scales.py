"""Choice of the products whose input is quantized with one scale for all rows, from calibration text.

A scale for each row costs six operators beside the product; one that is known before costs none of them. A row's result
depends on no other row with either.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from biogpt_onnx.quantize.bundle_weights import BundleWeights, Values
from biogpt_onnx.quantize.calibration.input_errors import InputErrors, LimitErrors
from biogpt_onnx.quantize.calibration.observation import Ids, Observation, token_ids, whole_inputs
from biogpt_onnx.quantize.data.texts import calibration_texts, search_texts
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.packing.static_scale import StaticScale, static_scale
from biogpt_onnx.quantize.smoothing.smoothing import Scaling
from biogpt_onnx.runtime.bundle import ClassificationHead
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.linear_layers import decoder_linears

MAX_ERROR_TO_ROWS = 1.5
"""Largest error of a product with one scale for all rows, to that with a scale for each row.

What the whole network loses by it is less than the quality gate can see: most of a product's error is that of its
weights, and behind a GELU one scale is the more precise of the two.
"""

MAX_LOSS = 0.01
"""Largest share of its output's energy that a token of the calibration text may lose by clipping.

A single token of massive values is above it, because these are nearly all of its output.
"""

MIN_TOKENS = 1000
"""Tokens of a text from which scales are taken; to shorter ones the built-in text is added."""

_MAX_PASSAGES = 48

# Limits to compare are powers of this, so that the last bits of a magnitude, which differ from machine to machine, do
# not change the bundle: from a quarter of the largest magnitude that smoothing saw to one and a half times it.
_LIMIT_RATIO = 2 ** (1 / 4)
_LIMITS_BELOW = 8
_LIMITS_ABOVE = 2


@dataclass(frozen=True)
class ProductInput:
    """Way in which a product's input is quantized, and what calibration found.

    Attributes:
        scale: one scale for all rows; None for a scale for each row.
        error_to_rows: error of the product with `scale`, or else with the best scale for all rows, to that with a scale
            for each row; None where each clips too much.
        clipped_values: share of the calibration text's values that `scale` clips.
        clipped_tokens: share of its tokens of which a value is clipped.
        largest_loss: largest share of its output's energy that a token loses by that.
    """

    scale: StaticScale | None
    error_to_rows: float | None
    clipped_values: float = 0.0
    clipped_tokens: float = 0.0
    largest_loss: float = 0.0


@dataclass(frozen=True)
class StaticScales:
    """Choice for each linear layer of a network.

    Attributes:
        tokens: tokens of the text that it was calibrated with.
        products: way to quantize the input, by the linear layer's name.
    """

    tokens: int = 0
    products: Mapping[str, ProductInput] = field(default_factory=dict)

    def scale(self, layer: str) -> StaticScale | None:
        """Returns a linear layer's scale for all rows; None for a scale for each row."""
        return self.products[layer].scale if layer in self.products else None

    def record(self, layers: Sequence[str]) -> dict[str, Any]:
        """Returns the choice for these layers in the form in which a manifest keeps it."""
        return {"tokens": self.tokens, "products": {layer: _record(self.products[layer]) for layer in layers}}


def scale_texts(texts: Sequence[str] | None) -> Sequence[str]:
    """Returns the text for scales where a user gives these texts, or None."""
    return (*calibration_texts(), *search_texts()) if texts is None else texts


def choose_static_scales(  # noqa: PLR0913 -- a bundle's parts, its smoothing and the text
    folder: Path,
    architecture: Architecture,
    weights: BundleWeights,
    *,
    smoothing: Mapping[str, Scaling],
    packing: Rows,
    magnitudes: Mapping[str, Values],
    texts: Sequence[str] | None,
    head: ClassificationHead | None = None,
) -> StaticScales:
    """Chooses for each linear layer of the decoder between one scale for all rows and a scale for each row.

    Args:
        folder: float32 bundle.
        architecture: network's shape.
        weights: bundle's weights.
        smoothing: factors of the weights; see `smoothing`.
        packing: packing of the linear layers' weights.
        magnitudes: largest magnitude of each feature of the input, before smoothing, by the linear layer's name.
        texts: passages, of which up to 48, spread over all, are read, 128 tokens of each; None for the built-in ones,
            which are added where these have fewer than 1,000 tokens.
        head: bundle's classification head; None for a language model.
    """
    sequences = scale_sequences(folder, architecture, texts)
    behind_gelu = {decoder_linears(architecture, index).fc2.name for index in range(architecture.num_layers)}
    errors, factors = {}, {}
    for layer, magnitude in magnitudes.items():
        scaling = smoothing.get(f"{layer}.weight", Scaling())
        factors[layer] = scaling.columns
        largest = float((magnitude if scaling.columns is None else magnitude / scaling.columns).max())
        weight = scaling.apply(weights.read(f"{layer}.weight"))
        errors[layer] = InputErrors(weight, packing, _limits(largest), behind_gelu=layer in behind_gelu)
    for found in Observation(architecture, weights, whole_inputs, head).passes(sequences):
        for layer, x in found.items():
            columns = factors[layer]
            errors[layer].add(x if columns is None else x / columns)
    products = {layer: _chosen(error.by_limit(), behind_gelu=layer in behind_gelu) for layer, error in errors.items()}
    return StaticScales(sum(ids.size for ids in sequences), products)


def scale_sequences(folder: Path, architecture: Architecture, texts: Sequence[str] | None) -> list[Ids]:
    """Returns the token ids from which scales are taken, [1, tokens] each.

    Args:
        folder: bundle's folder.
        architecture: network's shape.
        texts: passages, of which up to 48, spread over all, are read, 128 tokens of each; None for the built-in ones,
            which are added where these have fewer than 1,000 tokens.
    """
    sequences = _spread(token_ids(folder, architecture, scale_texts(texts)))
    if texts is not None and sum(ids.size for ids in sequences) < MIN_TOKENS:
        sequences += _spread(token_ids(folder, architecture, scale_texts(None)))
    return sequences


def _record(chosen: ProductInput) -> dict[str, Any]:
    # The scale is the same on every machine. What was measured is not, in its last bits, which a bundle must not show.
    rounded = {name: float(f"{value:.3g}") for name, value in vars(chosen).items() if isinstance(value, float)}
    return asdict(chosen) | rounded


def _spread(sequences: list[Ids]) -> list[Ids]:
    count = min(_MAX_PASSAGES, len(sequences))
    return [sequences[number * len(sequences) // count] for number in range(count)]


def _limits(largest: float) -> list[float]:
    if largest == 0:
        return [1.0]
    highest = math.ceil(math.log(largest, _LIMIT_RATIO)) + _LIMITS_ABOVE
    return [_LIMIT_RATIO**power for power in range(highest - _LIMITS_BELOW - _LIMITS_ABOVE, highest + 1)]


def _chosen(errors: LimitErrors, *, behind_gelu: bool) -> ProductInput:
    good = (errors.largest_loss <= MAX_LOSS) & (errors.error_to_rows <= MAX_ERROR_TO_ROWS)
    if not good.any():
        error = float(errors.error_to_rows[errors.largest_loss <= MAX_LOSS].min(initial=math.inf))
        return ProductInput(None, error if math.isfinite(error) else None)
    best = int(np.where(good, errors.error_to_rows, np.inf).argmin())
    return ProductInput(
        static_scale(float(errors.limits[best]), behind_gelu=behind_gelu),
        float(errors.error_to_rows[best]),
        clipped_values=float(errors.clipped_values[best]),
        clipped_tokens=float(errors.clipped_tokens[best]),
        largest_loss=float(errors.largest_loss[best]),
    )
