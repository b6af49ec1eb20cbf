"""Bootstrap intervals, and the paired bootstrap test between two systems.

Units (documents, prompts, generations) are drawn with replacement, as many as there are, and a statistic is computed
over each draw. The percentiles of these statistics are the ends of the interval (Efron and Tibshirani, An Introduction
to the Bootstrap, 1993, chapter 13). Whole units are drawn because tokens or facts of one unit resemble each other.

Draws are seeded: equal input has equal intervals, and statistics of the same number of units share their draws, which
makes comparisons of two systems paired (Koehn, Statistical Significance Tests for Machine Translation Evaluation,
2004).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biogpt_onnx.reporting.estimates import CONFIDENCE, Difference, Estimate, Interval
from biogpt_onnx.runtime.errors import ConfigError

FloatArray = npt.NDArray[np.float64]
UnitNumbers = npt.NDArray[np.int64]

_DRAWN_AT_A_TIME = 1_000_000
# Sums of equal numbers in different orders may differ by this much.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Resampling:
    """Settings of the bootstrap.

    Attributes:
        resamples: number of draws.
        seed: seed of the draws.
        confidence: confidence level of the intervals, between 0 and 1.

    Raises:
        ConfigError: a setting is out of range.
    """

    resamples: int = 2000
    seed: int = 0
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise ConfigError(f"resamples is {self.resamples}: give at least 1")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}: give 0 or more")
        if not 0 < self.confidence < 1:
            raise ConfigError(f"confidence is {self.confidence}: give a share between 0 and 1, such as 0.95")


@dataclass(frozen=True, eq=False)
class Metric:
    """A metric that is computed from sums over documents, so that documents can be drawn anew.

    Attributes:
        name: the field's name of the metric.
        counts: summands of each document, [documents, quantities].
        of_sums: computes the metric from their sums, [..., quantities] to [...].
    """

    name: str
    counts: FloatArray
    of_sums: Callable[[FloatArray], FloatArray]

    @property
    def value(self) -> float:
        """The metric over all documents."""
        return float(self.of_sums(self.counts.sum(axis=0)))


def resample(
    num_units: int, statistic: Callable[[UnitNumbers], FloatArray], resampling: Resampling | None = None
) -> FloatArray:
    """Draws units with replacement and computes a statistic over each draw.

    Args:
        num_units: number of units, and of units in each draw.
        statistic: computes one number a draw from the drawn units' numbers, [draws, units] to [draws].
        resampling: settings; None for the defaults.

    Returns:
        The statistics, [resamples].
    """
    resampling = resampling or Resampling()
    generator = np.random.default_rng(resampling.seed)
    block = max(1, _DRAWN_AT_A_TIME // num_units)
    parts = []
    for start in range(0, resampling.resamples, block):
        draws = min(block, resampling.resamples - start)
        parts.append(statistic(generator.integers(num_units, size=(draws, num_units))))
    return np.concatenate(parts)


def percentile_interval(statistics: FloatArray, confidence: float = CONFIDENCE) -> Interval:
    """Returns the percentiles of resampled statistics that enclose the confidence level, with equal tails.

    Args:
        statistics: see `resample`, [resamples].
        confidence: the confidence level, between 0 and 1.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(statistics, [tail, 1 - tail])
    return float(low), float(high)


def ratio_of_sums(numerators: Sequence[float], denominators: Sequence[float]) -> Estimate:
    """Returns the sum of the numerators over the sum of the denominators, with its bootstrap interval.

    Args:
        numerators: one of each unit, [units].
        denominators: one of each unit, positive, [units].
    """
    above, below = np.array(numerators, dtype=np.float64), np.array(denominators, dtype=np.float64)
    value = float(above.sum() / below.sum())
    if len(above) == 1:
        return Estimate(value, None)
    ratios = resample(len(above), lambda drawn: above[drawn].sum(axis=1) / below[drawn].sum(axis=1))
    return Estimate(value, percentile_interval(ratios))


def estimate(metric: Metric, resampling: Resampling | None = None) -> Estimate:
    """Returns a metric with its bootstrap interval; without one for a single document.

    Args:
        metric: the metric.
        resampling: settings; None for the defaults.
    """
    resampling = resampling or Resampling()
    if len(metric.counts) == 1:
        return Estimate(metric.value, None)
    return Estimate(metric.value, percentile_interval(_resampled(metric, resampling), resampling.confidence))


def difference(metric: Metric, other: Metric, resampling: Resampling | None = None) -> Difference:
    """Returns a metric less that of another system, with its interval and the p-value of the paired bootstrap test.

    Both metrics are computed on the same draws of documents. The two-sided p-value is the share of draws whose
    difference is off the observed one by at least as much as that is off zero (Berg-Kirkpatrick, Burkett and Klein, An
    Empirical Investigation of Statistical Significance in NLP, 2012, section 3), the observed one counted among them
    (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 4.2), so that none is reported as 0.

    Args:
        metric: the first system's metric.
        other: the second system's, of the same documents.
        resampling: settings; None for the defaults.

    Raises:
        ConfigError: the two are of different numbers of documents.
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
    resampled = _resampled(metric, resampling) - _resampled(other, resampling)
    resampled = np.where(np.abs(resampled) < _ROUNDING, 0.0, resampled)
    as_large = int(np.count_nonzero(np.abs(resampled - observed) >= abs(observed) - _ROUNDING))
    p_value = (1 + as_large) / (1 + resampling.resamples)
    return Difference(observed, percentile_interval(resampled, resampling.confidence), p_value)


def _resampled(metric: Metric, resampling: Resampling) -> FloatArray:
    num_documents = len(metric.counts)

    def statistic(drawn: UnitNumbers) -> FloatArray:
        draws = len(drawn)
        # Offsets number the documents of each draw apart, so that one pass counts how often each is in each draw.
        numbers = drawn + np.arange(draws)[:, np.newaxis] * num_documents
        times = np.bincount(numbers.ravel(), minlength=draws * num_documents).reshape(draws, num_documents)
        return metric.of_sums(times.astype(np.float64) @ metric.counts)

    return resample(num_documents, statistic, resampling)
