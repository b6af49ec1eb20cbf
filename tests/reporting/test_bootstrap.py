import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.reporting.bootstrap import Metric, Resampling, difference, estimate, ratio_of_sums
from biogpt_onnx.reporting.estimates import Difference, Estimate
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.metrics.counts import mean_metric, micro_metrics

COUNTS = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)).map(
    lambda parts: (parts[0], parts[0] + parts[1], parts[0] + parts[2])
)


def accuracy(*right: float) -> Metric:
    return mean_metric("accuracy", right)


def f1(counts: list[tuple[int, int, int]]) -> Metric:
    return micro_metrics(np.array(counts, dtype=np.float64))[0]


# --- intervals


def test_half_of_a_hundred_is_half_give_or_take_ten_percent() -> None:
    found = estimate(accuracy(*[0.0, 1.0] * 50))
    assert found.value == 0.5
    assert found.interval is not None
    # The normal approximation: 0.5 -+ 1.96 * 0.05.
    assert found.interval == pytest.approx((0.402, 0.598), abs=0.011)


def test_more_confidence_is_a_wider_interval() -> None:
    metric = accuracy(*[0.0, 1.0] * 50)
    wide, narrow = (estimate(metric, Resampling(confidence=share)).interval for share in (0.99, 0.5))
    assert wide is not None
    assert narrow is not None
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_equal_seeds_draw_equal_documents() -> None:
    metric = accuracy(*np.random.default_rng(0).random(40))
    assert estimate(metric) == estimate(metric)
    assert estimate(metric) != estimate(metric, Resampling(seed=1))


def test_documents_are_drawn_the_same_in_blocks_or_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = accuracy(*np.random.default_rng(0).random(64))
    whole = estimate(metric).interval
    monkeypatch.setattr("biogpt_onnx.reporting.bootstrap._DRAWN_AT_A_TIME", 1000)
    assert estimate(metric).interval == pytest.approx(whole, abs=1e-12)


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


# --- differences


@settings(deadline=None, max_examples=25)
@given(st.lists(COUNTS, min_size=2, max_size=20))
def test_a_system_does_not_differ_from_itself(counts: list[tuple[int, int, int]]) -> None:
    assert difference(f1(counts), f1(counts)) == Difference(0.0, (0.0, 0.0), 1.0)


def test_a_plain_difference_is_not_chance() -> None:
    generator = np.random.default_rng(5)
    good, bad = ((generator.random(200) < share).astype(float) for share in (0.9, 0.5))
    found, turned = difference(accuracy(*good), accuracy(*bad)), difference(accuracy(*bad), accuracy(*good))
    assert found.value == pytest.approx(good.mean() - bad.mean())
    assert found.interval is not None
    assert 0.2 < found.interval[0] < found.value < found.interval[1] < 0.6
    assert found.p_value == turned.p_value == pytest.approx(1 / 2001)
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


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        ({"resamples": 0}, "resamples is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"confidence": float("nan")}, "confidence is nan"),
    ],
)
def test_bad_settings_are_refused(settings_: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Resampling(**settings_)  # type: ignore[arg-type] # of the wrong values on purpose


# --- ratios


def test_a_ratio_weighs_documents_by_their_tokens() -> None:
    assert ratio_of_sums([1, 30], [10, 100]).value == pytest.approx(31 / 110)
    assert ratio_of_sums([3], [4]) == Estimate(0.75, None)
    assert ratio_of_sums([2, 4, 6], [1, 2, 3]) == Estimate(2, (2, 2))


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    # 200 samples of 50 documents: 95 % of 200 is 190, give or take 3; the bootstrap is known to fall a little short.
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        tokens = generator.integers(50, 200, size=50)
        found = ratio_of_sums((tokens * generator.normal(0.02, 0.05, size=50)).tolist(), tokens.tolist())
        assert found.interval is not None
        covered += found.interval[0] <= 0.02 <= found.interval[1]
    assert 178 <= covered <= 199
