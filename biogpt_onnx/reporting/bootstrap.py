"""How far a number may be from what other documents would give, and whether two systems differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.metric import FloatArray, Metric

_DRAWN_AT_A_TIME = 1_000_000
# Sums of the same numbers in another order may differ by so much.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Resampling:
    """How documents are drawn.

    Attributes:
        resamples: how often all are.
        seed: of the draws; equal seeds draw equal documents, of every metric and every system.
        confidence: of intervals.

    Raises:
        ConfigError: one of them is out of range.
    """

    resamples: int = 2000
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise ConfigError(f"resamples is {self.resamples}: give at least 1")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}: give 0 or more")
        if not 0 < self.confidence < 1:
            raise ConfigError(f"confidence is {self.confidence}: give a share between 0 and 1, such as 0.95")


@dataclass(frozen=True)
class Estimate:
    """A measured number.

    Attributes:
        value: over all documents.
        interval: its lower and upper end; None where a single document says nothing of others.
    """

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Difference:
    """By how much one system's number is above another's, on the same documents.

    Attributes:
        value: over all documents.
        interval: its lower and upper end; None where a single document says nothing of others.
        p_value: how often a difference at least as large would be seen, in either direction, were there none; 1 for a
            single document.
    """

    value: float
    interval: tuple[float, float] | None
    p_value: float


def estimate(metric: Metric, resampling: Resampling | None = None) -> Estimate:
    """A metric and its interval.

    Documents are drawn with replacement, as many as there are, and the percentiles of the metric over such draws are
    the interval's ends (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). What one document
    holds resembles itself, so documents are drawn and not facts.
    """
    resampling = resampling or Resampling()
    if len(metric.counts) == 1:
        return Estimate(metric.value, None)
    return Estimate(metric.value, _interval(_drawn(metric, resampling), resampling))


def difference(metric: Metric, other: Metric, resampling: Resampling | None = None) -> Difference:
    """A metric less that of another system, its interval, and whether chance could explain it.

    Both are computed on the same draws of documents. The p-value is that of the paired bootstrap test, for both
    directions: the share of draws whose difference is off the observed one by at least as much as that is off zero
    (Berg-Kirkpatrick, Burkett and Klein, An Empirical Investigation of Statistical Significance in NLP, 2012, section
    3), the observed one counted among them (Davison and Hinkley, Bootstrap Methods and their Application, 1997,
    section 4.2), so that none is reported as 0.

    Raises:
        ConfigError: they are not of the same number of documents.
    """
    resampling = resampling or Resampling()
    if len(metric.counts) != len(other.counts):
        raise ConfigError(
            f"{metric.name} of {len(metric.counts)} documents beside that of {len(other.counts)}: compare systems on "
            "the same documents"
        )
    observed = metric.value - other.value
    if len(metric.counts) == 1:
        return Difference(observed, None, 1.0)
    drawn = _drawn(metric, resampling) - _drawn(other, resampling)
    drawn = np.where(np.abs(drawn) < _ROUNDING, 0.0, drawn)
    as_large = int(np.count_nonzero(np.abs(drawn - observed) >= abs(observed) - _ROUNDING))
    return Difference(observed, _interval(drawn, resampling), (1 + as_large) / (1 + resampling.resamples))


def estimates(metrics: Sequence[Metric], resampling: Resampling | None = None) -> dict[str, Estimate]:
    """Metrics and their intervals, by name."""
    return {metric.name: estimate(metric, resampling) for metric in metrics}


def differences(
    metrics: Sequence[Metric], others: Sequence[Metric], resampling: Resampling | None = None
) -> dict[str, Difference]:
    """One system's metrics less another's, by name.

    Raises:
        ConfigError: they are not of the same number of documents.
    """
    named = {metric.name: metric for metric in others}
    return {metric.name: difference(metric, named[metric.name], resampling) for metric in metrics}


def _drawn(metric: Metric, resampling: Resampling) -> FloatArray:
    """The metric of each draw, [resamples]."""
    num_documents = len(metric.counts)
    generator = np.random.default_rng(resampling.seed)
    block = max(1, _DRAWN_AT_A_TIME // num_documents)
    parts = []
    for start in range(0, resampling.resamples, block):
        draws = min(block, resampling.resamples - start)
        numbers = generator.integers(num_documents, size=(draws, num_documents))
        # How often each document is in each draw, all counted at once: the draws are numbered apart.
        numbers += np.arange(draws)[:, np.newaxis] * num_documents
        times = np.bincount(numbers.ravel(), minlength=draws * num_documents).reshape(draws, num_documents)
        parts.append(metric.of_sums(times.astype(np.float64) @ metric.counts))
    return np.concatenate(parts)


def _interval(drawn: FloatArray, resampling: Resampling) -> tuple[float, float]:
    tail = (1 - resampling.confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)
