"""Numbers measured on a sample of documents, and how far they may be from what more documents would give."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
REPLICATES = 2000
_SEED = 0
_DRAWN_AT_A_TIME = 100_000
# The standard normal quantile of a two-sided interval of that confidence.
_NORMAL_QUANTILE = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A measured number.

    Attributes:
        value: over all that was measured.
        interval: the `CONFIDENCE` interval, lower and upper end; None where a single document says nothing of others.
    """

    value: float
    interval: tuple[float, float] | None

    def map(self, change: Callable[[float], float]) -> "Estimate":
        """The same under a function that never falls."""
        ends = self.interval
        return Estimate(change(self.value), ends and (change(ends[0]), change(ends[1])))


def ratio_of_sums(numerators: Sequence[float], denominators: Sequence[float]) -> Estimate:
    """The sum of the numerators over the sum of the denominators, a pair for each document.

    The interval is that of the bootstrap: documents are drawn with replacement, each with its own pair, and the
    percentiles of `REPLICATES` such ratios taken (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
    chapter 13). Tokens of one document resemble each other, so documents are drawn and not tokens. What compares two
    models document by document is thereby paired (Koehn, Statistical Significance Tests for Machine Translation
    Evaluation, 2004). The seed is fixed: equal input has equal intervals.

    Args:
        numerators: [documents].
        denominators: [documents], positive.
    """
    above, below = np.array(numerators, dtype=np.float64), np.array(denominators, dtype=np.float64)
    value = float(above.sum() / below.sum())
    if len(above) == 1:
        return Estimate(value, None)
    generator = np.random.default_rng(_SEED)
    block = max(1, _DRAWN_AT_A_TIME // len(above))
    ratios: list[float] = []
    while len(ratios) < REPLICATES:
        drawn = generator.integers(len(above), size=(min(block, REPLICATES - len(ratios)), len(above)))
        ratios += (above[drawn].sum(axis=1) / below[drawn].sum(axis=1)).tolist()
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return Estimate(value, (float(low), float(high)))


def share(outcomes: Sequence[bool]) -> Estimate:
    """The share that is true of independent outcomes.

    The interval is Wilson's (Probable Inference, 1927), which has a width where all outcomes are alike too: of sixteen
    successes in sixteen the bootstrap would say that there is no doubt.
    """
    count = len(outcomes)
    value = sum(outcomes) / count
    weight = _NORMAL_QUANTILE**2 / count
    middle = (value + weight / 2) / (1 + weight)
    half = math.sqrt(value * (1 - value) * weight + weight**2 / 4) / (1 + weight)
    return Estimate(value, (max(0.0, middle - half), min(1.0, middle + half)))
