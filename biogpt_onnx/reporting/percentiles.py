"""Percentiles and their intervals, given only where the number of samples carries them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
PERCENTILES = (50, 90, 99)
_REPLICATES = 2000
_SEED = 0


@dataclass(frozen=True)
class Quantity:
    """A measured quantity.

    Attributes:
        count: samples.
        runs: generations that they come from.
        p50: their median.
        interval: the `CONFIDENCE` interval of the median; None where there are fewer than six runs.
        p90: None where there are too few samples: see `carries`.
        p99: likewise.
    """

    count: int
    runs: int
    p50: float
    interval: tuple[float, float] | None
    p90: float | None
    p99: float | None


def carries(count: int, percentile: int) -> bool:
    """Whether so many samples say where a percentile lies.

    They do where the smallest and the largest of them enclose it with a probability of at least `CONFIDENCE`, which
    needs no assumption about their distribution: 6 samples for the median, 29 for p90, 299 for p99 (David and
    Nagaraja, Order Statistics, 2003, section 7.1).
    """
    share = percentile / 100
    return 1 - share**count - (1 - share) ** count >= CONFIDENCE


def quantity(runs: Sequence[Sequence[float]]) -> Quantity | None:
    """Summarizes samples, those of each generation by themselves; None where there are none.

    Where each generation gives one sample, the median's interval is that of order statistics. Where each gives many
    (the tokens' latencies), these resemble each other, and the interval is that of a bootstrap which draws generations
    and not tokens (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13), with a fixed seed.
    """
    runs = [samples for samples in runs if len(samples)]
    values = np.concatenate([np.asarray(samples, dtype=np.float64) for samples in runs]) if runs else np.empty(0)
    if not len(values):
        return None
    interval = None
    if carries(len(runs), 50):
        interval = _order_interval(values) if len(values) == len(runs) else _bootstrap_interval(runs)
    p90, p99 = (float(np.percentile(values, each)) if carries(len(values), each) else None for each in (90, 99))
    return Quantity(len(values), len(runs), float(np.median(values)), interval, p90, p99)


def _order_interval(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[float, float]:
    """The narrowest pair of order statistics, as many from each end, that encloses the median well enough."""
    ordered, count = np.sort(values), len(values)
    below, probability = 0, 0.5**count
    # One tail: the probability that at most `below` samples are smaller than the median.
    while probability + math.comb(count, below + 1) * 0.5**count <= (1 - CONFIDENCE) / 2:
        below += 1
        probability += math.comb(count, below) * 0.5**count
    return float(ordered[below]), float(ordered[count - 1 - below])


def _bootstrap_interval(runs: Sequence[Sequence[float]]) -> tuple[float, float]:
    generator = np.random.default_rng(_SEED)
    arrays = [np.asarray(samples, dtype=np.float64) for samples in runs]
    medians = [
        np.median(np.concatenate([arrays[number] for number in drawn]))
        for drawn in generator.integers(len(arrays), size=(_REPLICATES, len(arrays)))
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(medians, [tail, 1 - tail])
    return float(low), float(high)
