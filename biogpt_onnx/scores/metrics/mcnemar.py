"""Whether two systems differ in how often they are right."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from biogpt_onnx.runtime.errors import ConfigError


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test.

    Attributes:
        only_first: documents on which the first system alone is right.
        only_second: documents on which the second one alone is.
        p_value: how likely they part at least so unevenly, in either direction, were both equally good.
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """Tests two systems by the documents on which one is right and the other wrong.

    Were both equally good, each of these would be a fair coin (McNemar, Note on the Sampling Error of the Difference
    between Correlated Proportions or Percentages, 1947), so the test is that of a binomial distribution with one half.

    Args:
        first: whether the first system is right, of each document.
        second: whether the second one is.

    Raises:
        ConfigError: they are not of the same number of documents.
    """
    if len(first) != len(second):
        raise ConfigError(f"{len(first)} answers beside {len(second)}: compare systems on the same documents")
    only_first = sum(mine and not other for mine, other in zip(first, second, strict=True))
    only_second = sum(other and not mine for mine, other in zip(first, second, strict=True))
    return McNemar(only_first, only_second, _two_sided(min(only_first, only_second), only_first + only_second))


def _two_sided(fewer: int, coins: int) -> float:
    # Whole numbers until the last: what they are is beyond what a float holds.
    tail = sum(math.comb(coins, number) for number in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << coins))
