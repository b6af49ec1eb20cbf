"""Second moments of the inputs of a float32 bundle's linear layers on calibration text."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from biogpt_onnx.quantize.bundle_weights import BundleWeights, Values
from biogpt_onnx.quantize.calibration.observation import Ids, Observation, whole_inputs
from biogpt_onnx.quantize.calibration.static_scales import scale_sequences
from biogpt_onnx.quantize.smoothing.smoothing import Scaling
from biogpt_onnx.runtime.bundle import ClassificationHead
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.linear_layers import linear_shapes

# Those of a whole model of BioGPT's size take 1.9 GB, of BioGPT-Large's 9.3 GB.
_MOST_BYTES = 1 << 30
# A product costs less a token the more tokens it has, and their inputs take memory.
_PASSAGES_AT_ONCE = 4


class InputMoments:
    """Second moments of the inputs of linear layers.

    The text is read anew for each group of layers whose moments fit in memory.

    Args:
        folder: bundle's folder.
        architecture: network's shape.
        weights: bundle's weights.
        smoothing: factors of the weights, by the weight's name; moments are those of the smoothed inputs.
        texts: passages; None for the built-in ones. See `scale_sequences`.
        head: bundle's classification head; None for a language model.
        most_bytes: most bytes of the moments of a group, unless a single layer needs more.
    """

    def __init__(  # noqa: PLR0913 -- a bundle's parts, its smoothing and the text
        self,
        folder: Path,
        architecture: Architecture,
        weights: BundleWeights,
        *,
        smoothing: Mapping[str, Scaling],
        texts: Sequence[str] | None,
        head: ClassificationHead | None = None,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._architecture, self._weights, self._smoothing, self._head = architecture, weights, smoothing, head
        self._sequences: Sequence[Ids] = scale_sequences(folder, architecture, texts)
        self._groups = _groups(architecture, most_bytes)
        self._found: dict[str, Values] = {}

    def take(self, layer: str) -> Values:
        """Returns the sum of x xᵀ over the text's tokens x of a layer's input, [in, in], and forgets it.

        Layers are best taken in the order of the network.
        """
        if layer not in self._found:
            # Those that were not taken give up their memory before others take theirs.
            self._found = {}
            self._found = self._measured(next(group for group in self._groups if layer in group))
        return self._found.pop(layer)

    def _measured(self, layers: Sequence[str]) -> dict[str, Values]:
        found: dict[str, Values] = {}
        observation = Observation(self._architecture, self._weights, whole_inputs, self._head, only=frozenset(layers))
        passes = observation.passes(self._sequences)
        while inputs := list(islice(passes, _PASSAGES_AT_ONCE)):
            for layer in layers:
                x = np.concatenate([each.pop(layer) for each in inputs])
                columns = self._smoothing.get(f"{layer}.weight", Scaling()).columns
                if columns is not None:
                    x /= columns
                product = x.T @ x
                found[layer] = product if layer not in found else np.add(found[layer], product, out=found[layer])
        return found


def _groups(architecture: Architecture, most_bytes: int) -> list[list[str]]:
    """Divides the linear layers, in the order of the network, into groups whose moments take so many bytes at most."""
    groups: list[list[str]] = []
    taken = 0
    for name, (_, in_features) in linear_shapes(architecture).items():
        size = np.dtype(np.float32).itemsize * in_features**2
        if not groups or taken + size > most_bytes:
            groups.append([])
            taken = 0
        groups[-1].append(name)
        taken += size
    return groups
