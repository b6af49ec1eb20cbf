"""Rates over documents, such as accuracy, precision or F1: their intervals, and differences of two systems' rates.

An interval says where the rate of all documents of this kind lies, of which the measured ones are a sample. Facts of
one document resemble each other, so documents and not facts are the units. How a rate depends on each document is
measured by leaving it out (the jackknife: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 11).
The percentiles of a bootstrap would not do: where all documents are alike, no draw differs, and the interval has no
width.

`benchmarks/tasks/coverage.py` simulates how often the intervals hold what they say.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from biogpt_onnx.reporting.bootstrap import FloatArray, Resampling
from biogpt_onnx.reporting.estimates import CONFIDENCE, Difference, Estimate, Interval, proportion, wilson_interval
from biogpt_onnx.reporting.exchange_test import exchange_test
from biogpt_onnx.reporting.quantiles import normal_quantile, student_quantile
from biogpt_onnx.runtime.errors import ConfigError

FEW_DOCUMENTS = 20
"""Number of documents below which reports warn of their intervals, which are simulated from this number on."""

_ROUNDING = 1e-9
# Documents of an unknown rate that the spread is mixed with, as in Laplace's rule of succession.
_UNKNOWN = 2


@dataclass(frozen=True, eq=False)
class Metric:
    """A rate, from 0 to 1, that is computed from sums over documents, so that any documents can be left out.

    Attributes:
        name: the field's name of the metric.
        counts: summands of each document, [documents, quantities].
        of_sums: computes the metric from their sums, [..., quantities] to [...].
        divisor: computes what the metric divides by, [..., quantities] to [...]; documents of which it is 0 say nothing
            of the metric, as one without predictions says nothing of precision. None if every document says something.
    """

    name: str
    counts: FloatArray
    of_sums: Callable[[FloatArray], FloatArray]
    divisor: Callable[[FloatArray], FloatArray] | None = None

    @property
    def value(self) -> float:
        """The metric over all documents."""
        return float(self.of_sums(self.counts.sum(axis=0)))

    def telling(self) -> npt.NDArray[np.bool_]:
        """Returns which documents say something of the metric, [documents]."""
        if self.divisor is None:
            return np.ones(len(self.counts), dtype=np.bool_)
        return self.divisor(self.counts) > 0

    def of(self, documents: npt.NDArray[np.bool_]) -> "Metric":
        """Returns the metric of some of the documents.

        Args:
            documents: which ones, [documents].
        """
        return replace(self, counts=self.counts[documents])

    def pseudo_values(self) -> FloatArray:
        """Returns each document's part in the metric, [documents]; of a mean these are the documents' own values."""
        num_documents, sums = len(self.counts), self.counts.sum(axis=0)
        return num_documents * self.value - (num_documents - 1) * self.of_sums(sums - self.counts)


def estimate(metric: Metric, resampling: Resampling | None = None) -> Estimate:
    """Returns a metric with its interval; without one for a single document.

    If each document is right or wrong, it is that of `proportion`. Otherwise it is Wilson's interval of as many
    independent outcomes as would be equally certain (Korn and Graubard, Confidence Intervals for Proportions with Small
    Expected Number of Positive Counts Estimated from Survey Data, 1998), with Student's quantile. The documents' spread
    is mixed with that of two documents of which nothing is known, so that a few that happen to be alike do not pass for
    certainty. A rate of 0 or 1 is as certain as one outcome a document. Documents that say nothing of the metric do not
    count; if none says anything, the interval is that from 0 to 1.

    Args:
        metric: the metric.
        resampling: names the confidence; None for the default.
    """
    confidence = (resampling or Resampling()).confidence
    value = metric.value
    if len(metric.counts) == 1:
        return Estimate(value, None)
    metric = metric.of(metric.telling())
    count = len(metric.counts)
    if not count:
        return Estimate(value, (0.0, 1.0))
    parts = metric.pseudo_values()
    if _are_outcomes(parts):
        return Estimate(value, proportion([part > 0.5 for part in parts.tolist()], confidence).interval)  # noqa: PLR2004 -- 0 or 1
    spread = value * (1 - value)
    if spread < _ROUNDING or count == 1:
        return Estimate(value, wilson_interval(value, count, normal_quantile(confidence)))
    prior = (count * value + 1) / (count + _UNKNOWN)
    variance = (count * float(parts.var(ddof=1)) + _UNKNOWN * prior * (1 - prior)) / (count + _UNKNOWN)
    quantile = student_quantile(confidence, count - 1)
    return Estimate(value, wilson_interval(value, count * spread / variance, quantile))


def difference(metric: Metric, other: Metric, resampling: Resampling | None = None) -> Difference:
    """Returns a metric less that of another system, with its interval and the p-value of the exchange test.

    Args:
        metric: the first system's metric.
        other: the second system's, of the same documents.
        resampling: settings; None for the defaults.

    Raises:
        ConfigError: the two are of different numbers of documents.
    """
    resampling = resampling or Resampling()
    count = len(metric.counts)
    if count != len(other.counts):
        raise ConfigError(
            f"{metric.name} of {count} documents beside that of {len(other.counts)}: compare systems on the same "
            "documents"
        )
    observed = metric.value - other.value
    if count == 1:
        return Difference(observed, None, 1.0)
    interval = difference_interval(metric, other, resampling.confidence)
    if _are_outcomes(metric.pseudo_values()) and _are_outcomes(other.pseudo_values()):
        signs = np.sign(np.round(metric.pseudo_values() - other.pseudo_values()))
        p_value = sign_test(int((signs > 0).sum()), int((signs < 0).sum()))
    else:
        p_value = exchange_test(metric.counts, other.counts, metric.of_sums, resampling)
    return Difference(observed, interval, p_value)


def difference_interval(metric: Metric, other: Metric, confidence: float = CONFIDENCE) -> Interval:
    """Returns the interval of a metric less that of another system.

    It is the normal one with a document added that the first system alone has right, and one that the other alone has
    right. Where each document is right or wrong it is that of Bonett and Price (Adjusted Wald Confidence Interval for a
    Difference of Binomial Proportions Based on Paired Data, 2012). It errs on the wide side where the systems differ in
    a few documents only.

    Args:
        metric: the first system's metric.
        other: the second system's, of the same documents, at least two.
        confidence: the confidence level, between 0 and 1.
    """
    observed = metric.value - other.value
    # Others are the same with and without them, and would pass for documents in which the systems do not differ.
    telling = metric.telling() | other.telling()
    parts = metric.of(telling).pseudo_values() - other.of(telling).pseudo_values()
    count = len(parts) + 2
    middle = len(parts) * observed / count
    spread = parts - (parts.mean() if len(parts) else 0.0)
    squares = np.square(spread + observed - middle).sum() + (1 - middle) ** 2 + (1 + middle) ** 2
    half = normal_quantile(confidence) * math.sqrt(float(squares)) / count
    return max(-1.0, middle - half), min(1.0, middle + half)


def sign_test(first: int, second: int) -> float:
    """Returns the p-value of the exact two-sided sign test: as probable a split of fair coins, or a less even one.

    Args:
        first: number of documents that speak for the first system alone.
        second: number of documents that speak for the second system alone.
    """
    coins = first + second
    # In whole numbers until the last division, because they exceed the range of a float.
    tail = sum(math.comb(coins, number) for number in range(min(first, second) + 1))
    return min(1.0, 2 * tail / (1 << coins))


def _are_outcomes(parts: FloatArray) -> bool:
    """Returns True if every document is wholly right or wholly wrong."""
    return bool(np.all(np.minimum(np.abs(parts), np.abs(parts - 1)) < _ROUNDING))
