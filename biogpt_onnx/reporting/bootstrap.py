"""Bootstrap intervals of statistics that are no rates, such as a growth of perplexity or a time.

Units (documents, prompts, generations) are drawn with replacement, as many as there are, and a statistic is computed
over each draw. The percentiles of these statistics are the ends of the interval (Efron and Tibshirani, An Introduction
to the Bootstrap, 1993, chapter 13). Whole units are drawn because tokens or facts of one unit resemble each other.

Draws are seeded: equal input has equal intervals. Rates, which end at 0 and 1, have intervals of their own in `rates`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biogpt_onnx.reporting.estimates import CONFIDENCE, Estimate, Interval
from biogpt_onnx.runtime.errors import ConfigError

FloatArray = npt.NDArray[np.float64]
UnitNumbers = npt.NDArray[np.int64]

_DRAWN_AT_A_TIME = 1_000_000


@dataclass(frozen=True)
class Resampling:
    """Settings of intervals and of tests that draw at random.

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
