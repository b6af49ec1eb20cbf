"""Measured numbers with their confidence intervals, and Wilson's interval of a proportion."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
"""The confidence level of every interval, unless a `Resampling` names another."""

# The standard normal quantile of a two-sided interval of that confidence.
_NORMAL_QUANTILE = 1.959963984540054

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


def proportion(outcomes: Sequence[bool]) -> Estimate:
    """Returns the share of outcomes that are true, with Wilson's 95 % interval (Probable Inference, 1927).

    That interval has a width even where all outcomes are alike: of sixteen successes in sixteen the bootstrap would say
    that there is no doubt.

    Args:
        outcomes: independent outcomes, at least one.
    """
    count = len(outcomes)
    value = sum(outcomes) / count
    weight = _NORMAL_QUANTILE**2 / count
    middle = (value + weight / 2) / (1 + weight)
    half = math.sqrt(value * (1 - value) * weight + weight**2 / 4) / (1 + weight)
    return Estimate(value, (max(0.0, middle - half), min(1.0, middle + half)))
