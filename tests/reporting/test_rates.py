import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.reporting.estimates import Difference, Estimate, proportion
from biogpt_onnx.reporting.rates import Metric, difference, difference_interval, estimate, sign_test
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.metrics.counts import mean_metric, micro_metrics

COUNTS = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)).map(
    lambda parts: (parts[0], parts[0] + parts[1], parts[0] + parts[2])
)


def accuracy(*right: float) -> Metric:
    return mean_metric("accuracy", right)


def f1(counts: list[tuple[int, int, int]]) -> Metric:
    return micro_metrics(np.array(counts, dtype=np.float64))[0]


def test_half_of_a_hundred_is_half_give_or_take_ten_percent() -> None:
    found = estimate(accuracy(*[0.0, 1.0] * 50))
    assert found.value == 0.5
    assert found.interval is not None
    # The normal approximation: 0.5 -+ 1.96 * 0.05.
    assert found.interval == pytest.approx((0.402, 0.598), abs=0.003)


def test_more_confidence_is_a_wider_interval() -> None:
    metric = accuracy(*[0.0, 1.0] * 50)
    wide, narrow = (estimate(metric, Resampling(confidence=share)).interval for share in (0.99, 0.5))
    assert wide is not None
    assert narrow is not None
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_a_single_document_says_nothing_of_others() -> None:
    assert estimate(accuracy(1.0)) == Estimate(1.0, None)
    assert difference(accuracy(1.0), accuracy(0.0)) == Difference(1.0, None, 1.0)


def test_intervals_enclose_the_truth_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(3)
    enclosed = 0
    for _ in range(200):
        interval = estimate(accuracy(*(generator.random(60) < 0.7).astype(float)), Resampling(resamples=500)).interval
        assert interval is not None
        enclosed += interval[0] <= 0.7 <= interval[1]
    assert 0.88 * 200 <= enclosed <= 0.99 * 200


@settings(deadline=None, max_examples=50)
@given(st.lists(COUNTS, min_size=2, max_size=20))
def test_an_interval_encloses_what_was_measured(counts: list[tuple[int, int, int]]) -> None:
    found = estimate(f1(counts), Resampling(resamples=500))
    assert found.interval is not None
    assert found.interval[0] >= 0
    assert found.interval[0] - 1e-12 <= found.value <= found.interval[1] + 1e-12
    assert found.interval[1] <= 1


@settings(deadline=None, max_examples=25)
@given(st.lists(COUNTS, min_size=2, max_size=20))
def test_a_system_does_not_differ_from_itself(counts: list[tuple[int, int, int]]) -> None:
    found = difference(f1(counts), f1(counts))
    assert (found.value, found.p_value) == (0, 1)
    assert found.interval is not None
    # Other documents might differ, all the more the fewer were seen not to.
    telling = sum(any(each) for each in counts)
    expected = min(1.0, 1.96 * math.sqrt(2) / (telling + 2))
    assert found.interval == pytest.approx((-expected, expected), rel=1e-4)


def test_a_plain_difference_is_not_chance() -> None:
    generator = np.random.default_rng(5)
    good, bad = ((generator.random(200) < share).astype(float) for share in (0.9, 0.5))
    found, turned = difference(accuracy(*good), accuracy(*bad)), difference(accuracy(*bad), accuracy(*good))
    assert found.value == pytest.approx(good.mean() - bad.mean())
    assert found.interval is not None
    assert 0.2 < found.interval[0] < found.value < found.interval[1] < 0.6
    assert (
        found.p_value
        == turned.p_value
        == pytest.approx(sign_test(*sorted((int((good > bad).sum()), int((good < bad).sum())))))
    )
    assert turned.interval == pytest.approx((-found.interval[1], -found.interval[0]))


def test_systems_that_are_right_together_are_compared_more_sharply_than_apart() -> None:
    generator = np.random.default_rng(6)
    right = (generator.random(300) < 0.5).astype(float)
    slightly_better = right.copy()
    slightly_better[np.flatnonzero(right == 0)[:12]] = 1.0
    paired = difference(accuracy(*slightly_better), accuracy(*right))
    apart = difference(accuracy(*slightly_better), accuracy(*generator.permutation(right)))
    assert paired.p_value < 0.01 < apart.p_value


def test_equal_systems_are_rarely_called_different() -> None:
    generator = np.random.default_rng(7)
    called = 0
    for _ in range(200):
        first, second = (accuracy(*(generator.random(60) < 0.7).astype(float)) for _ in range(2))
        called += difference(first, second, Resampling(resamples=500)).p_value < 0.05
    assert called <= 0.1 * 200


def test_systems_of_other_documents_are_not_compared() -> None:
    with pytest.raises(ConfigError, match="accuracy of 2 documents beside that of 3"):
        difference(accuracy(1, 0), accuracy(1, 0, 1))


def test_outcomes_have_the_interval_of_a_share() -> None:
    right = [1.0] * 18 + [0.0] * 2
    assert estimate(accuracy(*right)) == proportion([each == 1 for each in right])


def test_documents_of_many_facts_are_as_many_outcomes_as_they_vary() -> None:
    generator = np.random.default_rng(1)
    alike = generator.binomial(40, 0.5, size=50)
    torn = 40.0 * (generator.random(50) < 0.5)
    widths = []
    for found in (alike, torn):
        low, high = estimate(f1([(int(each), 40, 40) for each in found])).interval or (0, 0)
        widths.append(high - low)
    # 2,000 facts that vary by themselves against 50 documents that are right or wrong as a whole.
    assert widths[0] < widths[1] / 3


def test_documents_that_are_all_alike_leave_a_doubt() -> None:
    low, high = estimate(f1([(1, 2, 2)] * 20)).interval or (0, 0)
    assert 0.02 < high - low < 0.3
    assert estimate(f1([(3, 3, 3)] * 20)).interval == proportion([True] * 20).interval


def test_bonett_and_prices_interval_of_paired_outcomes() -> None:
    # 6 and 2 of 30 discordant: 4 / 32 give or take 1.96 * sqrt((10 / 32 - (4 / 32)^2) / 32).
    first = [1.0] * 26 + [0.0] * 4
    second = [1.0] * 20 + [0.0] * 6 + [1.0] * 2 + [0.0] * 2
    found = difference(accuracy(*first), accuracy(*second))
    half = 1.96 * math.sqrt((10 / 32 - (4 / 32) ** 2) / 32)
    assert found.value == pytest.approx(4 / 30)
    assert found.interval == pytest.approx((4 / 32 - half, 4 / 32 + half), abs=1e-5)
    # Of eight coins, two or fewer fall on either side: 2 * (1 + 8 + 28) / 256.
    assert found.p_value == 74 / 256


@pytest.mark.parametrize("documents", range(2, 8))
def test_no_p_value_is_below_what_so_many_documents_allow(documents: int) -> None:
    good, bad = [(3, 3, 3)] * documents, [(0, 1, 3)] * documents
    assert difference(f1(good), f1(bad)).p_value == 2 / 2**documents
    assert difference(accuracy(*[1.0] * documents), accuracy(*[0.0] * documents)).p_value == 2 / 2**documents


def test_exchanges_that_are_drawn_agree_with_all_exchanges(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    first = [(int(hit), 3, 3) for hit in generator.integers(0, 4, size=14)]
    second = [(int(hit), 3, 3) for hit in generator.integers(0, 3, size=14)]
    exact = difference(f1(first), f1(second)).p_value
    monkeypatch.setattr("biogpt_onnx.reporting.exchange_test.MOST_EXACT", 5)
    drawn = [difference(f1(first), f1(second), Resampling(resamples=20_000, seed=seed)).p_value for seed in range(2)]
    assert drawn[0] != drawn[1]
    assert drawn == pytest.approx([exact, exact], abs=0.012)


def test_all_exchanges_of_three_documents_by_hand() -> None:
    # F1 has a fixed divisor here, so exchanges change the sum of hits, 3 - 0, 1 - 2 and 2 - 1, by their signs:
    # |3 - 1 + 1| = 3 is reached or passed by +-(3, -1, 1), +-(3, 1, -1) and +-(3, 1, 1) of eight.
    first, second = [(3, 3, 3), (1, 3, 3), (2, 3, 3)], [(0, 3, 3), (2, 3, 3), (1, 3, 3)]
    assert difference(f1(first), f1(second)).p_value == 6 / 8


def test_documents_that_say_nothing_of_a_metric_do_not_make_it_certain() -> None:
    # Two right predictions in two of a hundred documents: a precision as certain as two outcomes.
    counts = np.array([(1, 1, 1)] * 2 + [(0, 0, 1)] * 98, dtype=np.float64)
    _, precision, recall = micro_metrics(counts)
    assert estimate(precision).interval == proportion([True] * 2).interval
    assert estimate(recall).interval == proportion([True] * 2 + [False] * 98).interval
    wrong = micro_metrics(np.array([(0, 1, 1)] * 2 + [(0, 0, 1)] * 98, dtype=np.float64))[1]
    low, high = difference_interval(precision, wrong)
    # Two documents alone differ, so the truth may well be nothing.
    assert low < 0 < high == 1


def test_a_metric_of_which_no_document_says_anything_is_unknown() -> None:
    precision = micro_metrics(np.array([(0, 0, 1)] * 30, dtype=np.float64))[1]
    assert estimate(precision) == Estimate(0.0, (0.0, 1.0))
    assert difference(precision, precision).p_value == 1
    low, high = difference_interval(precision, precision)
    assert -1 <= low < -0.9 < 0.9 < high <= 1


def test_one_document_that_says_something_is_one_outcome() -> None:
    precision = micro_metrics(np.array([(1, 2, 2)] + [(0, 0, 1)] * 9, dtype=np.float64))[1]
    low, high = estimate(precision).interval or (0.5, 0.5)
    assert low < 0.1
    assert high > 0.9
