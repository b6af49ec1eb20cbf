"""Ratio of two ways to do the same work, measured in rounds on several documents, with its interval."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
REPLICATES = 2000
_SEED = 0


class PairedRatio(NamedTuple):
    """A measured ratio of times.

    Attributes:
        value: over all documents and rounds.
        interval: the `CONFIDENCE` interval, lower and upper end.
    """

    value: float
    interval: tuple[float, float]


def paired_ratio(seconds: npt.NDArray[np.float64]) -> PairedRatio:
    """Divides the time of the second way by that of the first.

    A way's time is the sum over documents of its median over rounds. The interval is a two-stage bootstrap's: documents
    are drawn with replacement, then rounds of each drawn document, both ways of a round together; its ends are
    percentiles of `REPLICATES` such ratios (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section
    3.8). The seed is fixed: equal input has equal intervals. With a single document it says nothing of others.

    Args:
        seconds: samples, [documents, rounds, 2].
    """
    documents, rounds, _ = seconds.shape
    generator = np.random.default_rng(_SEED)
    ratios = [
        _ratio(
            seconds[
                generator.integers(documents, size=(documents, 1)),
                generator.integers(rounds, size=(documents, rounds)),
            ]
        )
        for _ in range(REPLICATES)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return PairedRatio(_ratio(seconds), (float(low), float(high)))


def _ratio(seconds: npt.NDArray[np.float64]) -> float:
    first, second = np.median(seconds, axis=1).sum(axis=0)
    return float(second / first)
