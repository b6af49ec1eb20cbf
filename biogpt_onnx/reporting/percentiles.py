"""Percentiles of samples and the interval of their median, given only where there are enough samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biogpt_onnx.reporting.bootstrap import FloatArray, UnitNumbers, percentile_interval, resample
from biogpt_onnx.reporting.estimates import CONFIDENCE, Interval


@dataclass(frozen=True)
class Quantity:
    """A summary of samples.

    Attributes:
        count: number of samples.
        runs: number of generations that they come from.
        p50: their median.
        interval: the `CONFIDENCE` interval of the median; None where there are fewer than six runs.
        p90: their 90th percentile; None where there are too few samples, see `enough_samples`.
        p99: their 99th percentile; None where there are too few samples, see `enough_samples`.
    """

    count: int
    runs: int
    p50: float
    interval: Interval | None
    p90: float | None
    p99: float | None


def enough_samples(count: int, percentile: int) -> bool:
    """Returns True if a number of samples is enough to locate a percentile.

    It is enough if the smallest and the largest sample enclose the percentile with a probability of at least
    `CONFIDENCE`, which needs no assumption about their distribution: 6 samples for the median, 29 for p90, 299 for p99
    (David and Nagaraja, Order Statistics, 2003, section 7.1).

    Args:
        count: number of samples.
        percentile: the percentile, from 1 to 99.
    """
    share = percentile / 100
    return 1 - share**count - (1 - share) ** count >= CONFIDENCE


def quantity(runs: Sequence[Sequence[float]]) -> Quantity | None:
    """Summarizes samples; None where there are none.

    If each generation gives one sample, the median's interval is that of order statistics. If each gives many (the
    latencies of its tokens), these resemble each other, and the interval is that of a bootstrap over generations.

    Args:
        runs: the samples of each generation.
    """
    runs = [samples for samples in runs if len(samples)]
    values = np.concatenate([np.asarray(samples, dtype=np.float64) for samples in runs]) if runs else np.empty(0)
    if not len(values):
        return None
    interval = None
    if enough_samples(len(runs), 50):
        interval = _order_interval(values) if len(values) == len(runs) else _bootstrap_interval(runs)
    p90, p99 = (float(np.percentile(values, each)) if enough_samples(len(values), each) else None for each in (90, 99))
    return Quantity(len(values), len(runs), float(np.median(values)), interval, p90, p99)


def _order_interval(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Interval:
    """Returns the narrowest pair of order statistics, symmetric in rank, that encloses the median well enough."""
    ordered, count = np.sort(values), len(values)
    below, probability = 0, 0.5**count
    # One tail: the probability that at most `below` samples are smaller than the median.
    while probability + math.comb(count, below + 1) * 0.5**count <= (1 - CONFIDENCE) / 2:
        below += 1
        probability += math.comb(count, below) * 0.5**count
    return float(ordered[below]), float(ordered[count - 1 - below])


def _bootstrap_interval(runs: Sequence[Sequence[float]]) -> Interval:
    arrays = [np.asarray(samples, dtype=np.float64) for samples in runs]

    def medians(drawn: UnitNumbers) -> FloatArray:
        return np.array([np.median(np.concatenate([arrays[number] for number in row])) for row in drawn])

    return percentile_interval(resample(len(arrays), medians))
