"""Error of each layer's keys and values, which shows where in the network an error begins."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.bundle.architecture import Architecture


@dataclass(frozen=True)
class LayerError:
    """Relative error of a layer's keys and values: |difference| / |baseline|, Euclidean over all tokens.

    Each channel is first brought to the baseline's scale. A recipe may scale a channel and undo it in the next weight,
    as smoothing does between values and their output projection, which changes no result and is no error.

    Attributes:
        keys: error of the keys.
        values: error of the values.
    """

    keys: float
    values: float


class CacheComparison:
    """Comparison of two models' caches after the same texts, which are added one at a time.

    Args:
        architecture: architecture of both models.
    """

    def __init__(self, architecture: Architecture) -> None:
        shape = (architecture.num_layers, 2, architecture.num_heads, architecture.head_size)
        # Sums of each channel over all tokens: baseline x baseline, baseline x ours, ours x ours.
        self._products = np.zeros((3, *shape))

    def add(self, baseline: KeyValueCache, ours: KeyValueCache) -> None:
        """Adds the caches of a text, each of one row: the baseline's and the evaluated model's."""
        for layer in range(len(baseline.buffer)):
            first, second = (cache.values(layer, row=0).astype(np.float64) for cache in (baseline, ours))
            pairs = ((first, first), (first, second), (second, second))
            self._products[:, layer] += [np.einsum("phtd,phtd->phd", *pair) for pair in pairs]

    def errors(self) -> tuple[LayerError, ...]:
        """Returns the error of each layer."""
        baseline, mixed, ours = self._products
        scale = np.divide(mixed, ours, out=np.zeros_like(mixed), where=ours > 0)  # least squares
        # Equal caches have a scale of exactly 1, and so an error of exactly 0.
        squared = np.maximum(baseline - scale * mixed, 0).sum(axis=(2, 3))  # [layers, 2]
        norm = baseline.sum(axis=(2, 3))
        relative: npt.NDArray[np.float64] = np.sqrt(np.divide(squared, norm, out=np.zeros_like(norm), where=norm > 0))
        return tuple(LayerError(float(keys), float(values)) for keys, values in relative)
