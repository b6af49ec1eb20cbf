"""Calibration of outlier smoothing: the largest magnitudes of the inputs of a bundle's linear layers on text."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from biogpt_onnx.quantize.bundle_weights import BundleWeights, Values
from biogpt_onnx.quantize.calibration.observation import Observation, largest_magnitudes, token_ids
from biogpt_onnx.runtime.bundle import ClassificationHead
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import ConfigError

# The maxima of channels settle within the first few hundred tokens.
_MAX_SEQUENCES = 20


def input_magnitudes(
    folder: Path,
    architecture: Architecture,
    weights: BundleWeights,
    texts: Sequence[str],
    head: ClassificationHead | None = None,
) -> dict[str, Values]:
    """Measures the inputs of a float32 bundle's linear layers on texts.

    Args:
        folder: bundle's folder.
        architecture: network's shape.
        weights: bundle's weights.
        texts: passages, of which the first 20 that are not empty are read, 128 tokens of each.
        head: bundle's classification head; None for a language model.

    Returns:
        The largest magnitude of each feature of the input, float32 [in], by the linear layer's name.

    Raises:
        ConfigError: there is no text.
    """
    with_text = [text for text in texts if text.strip()][:_MAX_SEQUENCES]
    if not with_text:
        raise ConfigError("calibration has no text: give at least one line of it, or none for the built-in text")
    magnitudes: dict[str, Values] = {}
    observation = Observation(architecture, weights, largest_magnitudes, head)
    for found in observation.passes(token_ids(folder, architecture, with_text)):
        for layer, values in found.items():
            magnitudes[layer] = np.maximum(magnitudes.get(layer, values), values)
    return magnitudes
