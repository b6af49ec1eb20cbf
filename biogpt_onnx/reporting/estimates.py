"""Measured numbers with their confidence intervals, and the interval of a share of outcomes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from biogpt_onnx.reporting.quantiles import normal_quantile, poisson_lower_limit

CONFIDENCE = 0.95
"""The confidence level of every interval, unless a `Resampling` names another."""

# Numbers of outcomes unlike all others to which the Poisson distribution's end applies, and outcomes from which more.
_FEW, _MANY = 3, 50

Interval = tuple[float, float]
"""The lower and the upper end of a confidence interval."""


@dataclass(frozen=True)
class Estimate:
    """A measured number.

    Attributes:
        value: the number over all units (documents, prompts) that were measured.
        interval: its confidence interval; None for a single unit, which says nothing of others.
    """

    value: float
    interval: Interval | None

    def map(self, change: Callable[[float], float]) -> "Estimate":
        """Transforms the value and both ends of the interval.

        Args:
            change: a function that never falls, so that the ends keep their order.
        """
        ends = self.interval
        return Estimate(change(self.value), ends and (change(ends[0]), change(ends[1])))


@dataclass(frozen=True)
class Difference:
    """The difference between two systems' numbers on the same units.

    Attributes:
        value: the first system's number less the second's, over all units.
        interval: its confidence interval; None for a single unit, which says nothing of others.
        p_value: the probability of a difference at least as large, in either direction, if there were none; 1 for a
            single unit.
    """

    value: float
    interval: Interval | None
    p_value: float


def proportion(outcomes: Sequence[bool], confidence: float = CONFIDENCE) -> Estimate:
    """Returns the share of outcomes that are true, with Wilson's interval in the form that holds near 0 and 1 too.

    That interval has a width even where all outcomes are alike: of sixteen successes in sixteen the bootstrap would say
    that there is no doubt. Where only one to three outcomes differ from all others, the end beside 0 or 1 is that of a
    Poisson distribution (Brown, Cai and DasGupta, Interval Estimation for a Binomial Proportion, 2001, section 4.1.1).

    Args:
        outcomes: independent outcomes, at least one.
        confidence: the confidence level, between 0 and 1.
    """
    count, successes = len(outcomes), sum(outcomes)
    low, high = wilson_interval(successes / count, count, normal_quantile(confidence))
    few = _FEW if count > _MANY else _FEW - 1
    if 1 <= successes <= few:
        low = poisson_lower_limit(confidence, successes) / count
    if 1 <= count - successes <= few:
        high = 1 - poisson_lower_limit(confidence, count - successes) / count
    return Estimate(successes / count, (low, high))


def wilson_interval(value: float, size: float, quantile: float) -> Interval:
    """Returns the interval of a share (Wilson, Probable Inference, 1927).

    Args:
        value: the share.
        size: the number of independent outcomes that it is as certain as.
        quantile: the quantile of the confidence level.
    """
    weight = quantile**2 / size
    middle = (value + weight / 2) / (1 + weight)
    half = math.sqrt(max(0.0, value * (1 - value)) * weight + weight**2 / 4) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)
