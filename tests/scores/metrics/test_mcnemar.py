import pytest

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.metrics.mcnemar import McNemar, mcnemar


def test_mcnemar_counts_the_documents_that_tell_two_systems_apart() -> None:
    first = [True] * 9 + [False] + [True] * 5 + [False] * 3
    second = [False] * 9 + [True] + [True] * 5 + [False] * 3
    # Two sides of one or no head among ten coins: 2 * (1 + 10) / 1024.
    assert mcnemar(first, second) == McNemar(9, 1, 22 / 1024)
    assert mcnemar(second, first) == McNemar(1, 9, 22 / 1024)


def test_mcnemar_finds_nothing_between_equals() -> None:
    assert mcnemar([True, False], [True, False]) == McNemar(0, 0, 1.0)
    assert mcnemar([True, False], [False, True]) == McNemar(1, 1, 1.0)


def test_mcnemar_counts_thousands() -> None:
    first, second = [True] * 2100 + [False] * 1900, [False] * 2100 + [True] * 1900
    # The normal approximation with continuity: z = 199 / sqrt(4000).
    assert mcnemar(first, second).p_value == pytest.approx(0.00165, abs=0.00005)


def test_mcnemar_refuses_other_documents() -> None:
    with pytest.raises(ConfigError, match="1 answers beside 2"):
        mcnemar([True], [True, False])
