import math

import pytest

from biogpt_onnx.reporting.estimates import proportion


def test_a_share_has_wilsons_interval() -> None:
    # The published example of 81 in 263: 0.2553 to 0.3662 (Newcombe, 1998, table I).
    found = proportion([True] * 81 + [False] * 182)
    assert found.value == pytest.approx(81 / 263)
    assert found.interval == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert proportion([True] * 16).interval == pytest.approx((0.8064, 1), abs=5e-5)


def test_the_end_beside_certainty_is_that_of_a_poisson_distribution() -> None:
    # Two failures of fifty: the mean that two events are reached with 5 % probability is 0.3554 (chi-squared / 2).
    found = proportion([True] * 48 + [False] * 2)
    assert found.interval is not None
    assert found.interval[1] == pytest.approx(1 - 0.3554 / 50, abs=1e-5)
    mirrored = proportion([False] * 48 + [True] * 2)
    assert mirrored.interval == pytest.approx((1 - found.interval[1], 1 - found.interval[0]))


def test_the_interval_of_a_share_holds_as_often_as_it_says() -> None:
    """Exactly, by the binomial distribution, for every number of successes."""
    for count in (20, 50, 100):
        ends = [
            proportion([True] * number + [False] * (count - number)).interval or (0, 0) for number in range(count + 1)
        ]
        for share in (0.05, 0.1, 0.3, 0.5, 0.8, 0.9, 0.95, 0.99):
            held = sum(
                math.comb(count, number) * share**number * (1 - share) ** (count - number)
                for number, (low, high) in enumerate(ends)
                if low <= share <= high
            )
            # Of few documents a share near 1 gives so few outcomes that none of them lies between.
            assert 0.92 <= held <= (0.99 if share > 0.95 else 0.98)
