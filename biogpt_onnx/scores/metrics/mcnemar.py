"""McNemar's exact test of two systems' accuracies."""

from collections.abc import Sequence
from dataclasses import dataclass

from biogpt_onnx.reporting.rates import sign_test
from biogpt_onnx.runtime.errors import ConfigError


@dataclass(frozen=True)
class McNemar:
    """Result of McNemar's exact test.

    Attributes:
        only_first: number of documents on which the first system alone is right.
        only_second: number of documents on which the second system alone is right.
        p_value: probability of a split at least as uneven, in either direction, if both were equally good.
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """Tests whether two systems are equally often right, by the documents on which one is right and the other wrong.

    If they were, each of these documents would be a fair coin (McNemar, Note on the Sampling Error of the Difference
    between Correlated Proportions or Percentages, 1947), so the test is that of a binomial distribution with one half.

    Args:
        first: whether the first system is right, for each document.
        second: whether the second system is right, for each document.

    Raises:
        ConfigError: the two are of different numbers of documents.
    """
    if len(first) != len(second):
        raise ConfigError(f"{len(first)} answers beside {len(second)}: compare systems on the same documents")
    only_first = sum(mine and not other for mine, other in zip(first, second, strict=True))
    only_second = sum(other and not mine for mine, other in zip(first, second, strict=True))
    return McNemar(only_first, only_second, sign_test(only_first, only_second))
