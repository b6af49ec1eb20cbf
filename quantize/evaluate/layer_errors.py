"""Where in the network an error begins: the keys and values of each layer, held against the baseline's."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.bundle.architecture import Architecture


@dataclass(frozen=True)
class LayerError:
    """How far what a layer keeps is from the baseline's: |difference| / |baseline|, Euclidean over all tokens.

    Each channel is first brought to the baseline's scale. A recipe may scale a channel and undo it in the next weight,
    as smoothing does between values and their output projection; that changes no answer and is no error.

    Attributes:
        keys: of the keys.
        values: of the values.
    """

    keys: float
    values: float


class CacheComparison:
    """Gathers the caches of both models after the same texts, one text at a time.

    Args:
        architecture: that of both.
    """

    def __init__(self, architecture: Architecture) -> None:
        shape = (architecture.num_layers, 2, architecture.num_heads, architecture.head_size)
        # Of each channel, over all tokens: baseline x baseline, baseline x ours, ours x ours.
        self._products = np.zeros((3, *shape))

    def add(self, baseline: KeyValueCache, ours: KeyValueCache) -> None:
        """Takes the only row of two caches that have read the same tokens."""
        for layer in range(len(baseline.buffer)):
            first, second = (cache.values(layer, row=0).astype(np.float64) for cache in (baseline, ours))
            pairs = ((first, first), (first, second), (second, second))
            self._products[:, layer] += [np.einsum("phtd,phtd->phd", *pair) for pair in pairs]

    def errors(self) -> tuple[LayerError, ...]:
        """The errors, a layer each."""
        baseline, mixed, ours = self._products
        scale = np.divide(mixed, ours, out=np.zeros_like(mixed), where=ours > 0)  # least squares
        # Equal caches have a scale of exactly 1, and so an error of exactly 0.
        squared = np.maximum(baseline - scale * mixed, 0).sum(axis=(2, 3))  # [layers, 2]
        norm = baseline.sum(axis=(2, 3))
        relative: npt.NDArray[np.float64] = np.sqrt(np.divide(squared, norm, out=np.zeros_like(norm), where=norm > 0))
        return tuple(LayerError(float(keys), float(values)) for keys, values in relative)
