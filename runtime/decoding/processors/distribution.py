"""Rules that reshape or truncate the distribution before it is sampled.

Each leaves at least one token in every row, and does not change a row that has none left. Probabilities are summed in
double precision; torch sums them in single precision, so that a token at the very edge of a cut may be treated
differently than in transformers.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.processors.protocol import LARGEST
from biogpt_onnx.runtime.decoding.state import SequenceState

Row = npt.NDArray[np.float32]

# The bins span 32 nats. Less likely tokens share the last bin, which is hardly ever the one that is sorted.
_BINS_PER_NAT = 64
_NUM_BINS = 2048


@dataclass(frozen=True)
class Temperature:
    """A rule that divides the logits by a number, which below 1 sharpens the distribution and above 1 flattens it."""

    needs_all_logits: ClassVar[bool] = False
    temperature: float

    def __call__(self, _states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        logits /= max(self.temperature, 1 / LARGEST)


@dataclass(frozen=True)
class TopK:
    """A rule that keeps the `top_k` most likely tokens, and any as likely as the last of them.

    Source: Fan et al. 2018, arXiv:1805.04833.
    """

    needs_all_logits: ClassVar[bool] = False
    top_k: int

    def __call__(self, _states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        for row in logits:
            # Excluded tokens are left out, because many equal numbers slow a partition down twentyfold.
            possible = row[row > -np.inf]
            if self.top_k < len(possible):
                _exclude(row, row < np.partition(possible, -self.top_k)[-self.top_k])


@dataclass(frozen=True)
class TopP:
    """A rule that keeps the fewest most likely tokens that have the probability `top_p` together.

    Source: Holtzman et al. 2019, arXiv:1904.09751.
    """

    needs_all_logits: ClassVar[bool] = False
    top_p: float

    def __call__(self, _states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        for row, weights in _distributions(logits):
            last, count = _smallest_to_reach(self.top_p, -row, weights)
            excluded = row < -last
            # Of equally likely tokens at the edge the later ones are kept, as after a stable sort. transformers' sort
            # is not stable on a CPU: it keeps as many, but any of them.
            edge = np.flatnonzero(row == -last)
            excluded[edge[: len(row) - np.count_nonzero(excluded) - count]] = True
            _exclude(row, excluded)


@dataclass(frozen=True)
class MinP:
    """A rule that keeps the tokens that are at least `min_p` times as likely as the most likely one.

    Source: Nguyen et al. 2024, arXiv:2407.01082.
    """

    needs_all_logits: ClassVar[bool] = False
    min_p: float

    def __call__(self, _states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        for row, weights in _distributions(logits):
            _exclude(row, weights < self.min_p)


@dataclass(frozen=True)
class Typical:
    """A rule that keeps the tokens whose surprise is nearest to the expected one, up to the probability `typical_p`.

    Source: Meister et al. 2022, arXiv:2202.00666.
    """

    needs_all_logits: ClassVar[bool] = False
    typical_p: float

    def __call__(self, _states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        for row, weights in _distributions(logits):
            # This equals the distance of a token's surprise from the entropy, which is the expected surprise.
            distance = row - _expected(row, weights)
            np.abs(distance, out=distance)
            last, _ = _smallest_to_reach(self.typical_p, distance, weights)
            _exclude(row, distance > last)


@dataclass(frozen=True)
class EpsilonCutoff:
    """A rule that keeps the most likely token, and those of at least the probability `epsilon`.

    Source: Hewitt et al. 2022, arXiv:2210.15191.
    """

    needs_all_logits: ClassVar[bool] = False
    epsilon: float

    def __call__(self, _states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        for row, weights in _distributions(logits):
            _exclude_improbable(row, weights, self.epsilon)


@dataclass(frozen=True)
class EtaCutoff:
    """A rule that keeps the most likely token, and those of a probability that depends on the entropy.

    They have at least the probability min(epsilon, sqrt(epsilon) * exp(-entropy)). Source: Hewitt et al. 2022,
    arXiv:2210.15191.
    """

    needs_all_logits: ClassVar[bool] = False
    epsilon: float

    def __call__(self, _states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        for row, weights in _distributions(logits):
            entropy = math.log(weights.sum(dtype=np.float64)) + row.max() - _expected(row, weights)
            _exclude_improbable(row, weights, min(self.epsilon, math.sqrt(self.epsilon) * math.exp(-entropy)))


def _distributions(logits: npt.NDArray[np.float32]) -> Iterator[tuple[Row, Row]]:
    """Yields each row that allows any token, and its tokens' probabilities divided by the largest of them."""
    for row in logits:
        if (largest := row.max()) > -np.inf:
            below = row - largest
            yield row, np.exp(below, out=below)


def _expected(row: Row, weights: Row) -> float:
    """Returns the mean of a row's logits, each weighted by its probability."""
    largest = row.max()
    below = np.maximum(row, largest - LARGEST)  # because 0 * -inf is NaN
    below -= largest
    below *= weights
    return float(largest + below.sum(dtype=np.float64) / weights.sum(dtype=np.float64))


def _smallest_to_reach(share: float, keys: Row, weights: Row) -> tuple[np.float32, int]:
    """Finds the smallest keys whose weights together reach a share of all weights.

    Returns:
        The largest of these keys, and their number.
    """
    possible = weights > 0
    if np.count_nonzero(possible) < len(weights) // 2:  # as after another rule, which excluded most
        keys, weights = keys[possible], weights[possible]
    # A sort of all keys would take far longer than all else. So their weights are summed in narrow bins of nats, and
    # only the keys of the bin that reaches the share are sorted.
    bins = keys - keys.min()
    bins *= _BINS_PER_NAT
    bins = np.minimum(bins, _NUM_BINS - 1, out=bins).astype(np.intp)
    sums = np.cumsum(np.bincount(bins, weights))
    target = share * sums[-1]
    edge = int(np.searchsorted(sums, target))
    inside = np.flatnonzero(bins == edge)
    inside = inside[np.argsort(keys[inside])]
    sums_inside = (sums[edge - 1] if edge else 0.0) + np.cumsum(weights[inside], dtype=np.float64)
    # In this order of addition, the last sum may be a little below the bin's.
    last = min(int(np.searchsorted(sums_inside, target)), len(inside) - 1)
    return keys[inside[last]], int(np.count_nonzero(bins < edge)) + last + 1


def _exclude_improbable(row: Row, weights: Row, probability: float) -> None:
    # The most likely token has a weight of 1.
    _exclude(row, weights < min(1.0, probability * float(weights.sum(dtype=np.float64))))


def _exclude(row: Row, excluded: npt.NDArray[np.bool_]) -> None:
    row[excluded] = -np.inf
