"""Error of each layer's keys and values, which shows where in the network an error begins."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.bundle.architecture import Architecture


class CachedValues(Protocol):
    """A cache whose keys and values can be read."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of tokens held by each row, [batch]."""
        ...

    def values(self, layer: int, row: int) -> npt.NDArray[np.float32]:
        """Returns the keys and values of a layer's row, [2, heads, tokens, head_size], keys first."""
        ...


@dataclass(frozen=True)
class LayerError:
    """Relative error of a layer's keys and values: |difference| / |baseline|, Euclidean over all tokens.

    Each channel is first brought to the baseline's scale. A recipe may scale a channel and undo it in the next weight,
    as smoothing does between values and their output projection, which changes no result and is no error. Nor is a
    number that all keys of a channel have more or less than the baseline's, because a softmax does not see it.

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
        # Sums of each channel over all tokens, baseline and ours.
        self._sums = np.zeros((2, *shape))
        self._tokens = 0

    def add(self, baseline: CachedValues, ours: CachedValues) -> None:
        """Adds the caches of a text, each of one row: the baseline's and the evaluated model's."""
        self._tokens += int(ours.lengths[0])
        for layer in range(self._products.shape[1]):
            first, second = (cache.values(layer, row=0).astype(np.float64) for cache in (baseline, ours))
            pairs = ((first, first), (first, second), (second, second))
            self._products[:, layer] += [np.einsum("phtd,phtd->phd", *pair) for pair in pairs]
            self._sums[:, layer] += [values.sum(axis=2) for values in (first, second)]

    def errors(self) -> tuple[LayerError, ...]:
        """Returns the error of each layer."""
        norm = self._products[0].sum(axis=(2, 3))  # [layers, 2]
        baseline, mixed, ours = self._products - self._of_shifts()
        scale = np.divide(mixed, ours, out=np.zeros_like(mixed), where=ours > 0)  # least squares
        # Equal caches have a scale of exactly 1, and so an error of exactly 0.
        squared = np.maximum(baseline - scale * mixed, 0).sum(axis=(2, 3))  # [layers, 2]
        relative: npt.NDArray[np.float64] = np.sqrt(np.divide(squared, norm, out=np.zeros_like(norm), where=norm > 0))
        return tuple(LayerError(float(keys), float(values)) for keys, values in relative)

    def _of_shifts(self) -> npt.NDArray[np.float64]:
        """Returns the share of the products that a shift of each channel of the keys takes away."""
        first, second = self._sums
        shifts = np.stack([first * first, first * second, second * second]) / max(self._tokens, 1)
        shifts[:, :, 1] = 0
        return shifts
