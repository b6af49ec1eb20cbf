import numpy as np
import pytest

from biogpt_onnx.reporting.percentiles import enough_samples, quantity


@pytest.mark.parametrize(("percentile", "fewest"), [(50, 6), (90, 29), (99, 299)])
def test_a_percentile_is_given_only_where_the_samples_carry_it(percentile: int, fewest: int) -> None:
    assert enough_samples(fewest, percentile)
    assert not enough_samples(fewest - 1, percentile)


def test_few_runs_have_a_median_and_no_interval() -> None:
    found = quantity([[3.0], [1.0], [2.0]])
    assert found is not None
    assert (found.p50, found.interval, found.p90, found.p99) == (2.0, None, None, None)
    assert (found.count, found.runs) == (3, 3)


def test_six_runs_have_the_interval_of_their_extremes() -> None:
    # 1 - 2 / 2**6 is 96.9 %; without the extremes it would be 78.1 %.
    found = quantity([[float(value)] for value in (4, 1, 6, 2, 5, 3)])
    assert found is not None
    assert found.interval == (1.0, 6.0)


def test_the_interval_of_many_runs_is_that_of_order_statistics() -> None:
    # The table of Conover, Practical Nonparametric Statistics: ranks 10 and 21 of 30.
    found = quantity([[float(value)] for value in range(1, 31)])
    assert found is not None
    assert found.interval == (10.0, 21.0)


def test_intervals_enclose_the_true_median_as_often_as_they_say() -> None:
    generator = np.random.default_rng(1)
    enclosed = 0
    for _ in range(400):
        found = quantity([[value] for value in generator.exponential(size=15)])
        assert found is not None
        assert found.interval is not None
        enclosed += found.interval[0] <= np.log(2) <= found.interval[1]
    assert enclosed >= 0.93 * 400


def test_tokens_of_one_run_are_not_taken_for_independent() -> None:
    # Each run is steady, the runs differ: many tokens do not make the interval narrow.
    runs = [[float(number)] * 50 for number in range(1, 9)]
    found = quantity(runs)
    assert found is not None
    assert found.interval is not None
    assert found.interval[1] - found.interval[0] >= 2
    assert found == quantity(runs)


def test_tails_are_given_from_enough_tokens() -> None:
    found = quantity([[float(value) for value in range(100)] for _ in range(3)])
    assert found is not None
    assert found.p90 == pytest.approx(89.5, abs=1)
    assert found.p99 is not None


def test_no_samples_are_no_quantity() -> None:
    assert quantity([]) is None
    assert quantity([[], []]) is None
