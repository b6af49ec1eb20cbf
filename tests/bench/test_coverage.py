"""The simulation of how often intervals hold, in small."""

from pathlib import Path
from typing import Any

import pytest

from makers.contenders import Scripts

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only")


@pytest.fixture
def coverage(benchmarks: Scripts) -> Any:
    return benchmarks("tasks.coverage")


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("name", ["FACTS", "MEANS", "CLUSTERS"])
def test_intervals_of_rates_hold_about_as_often_as_they_say(coverage: Any, name: str, rate: float) -> None:
    found = coverage.simulated_coverage(getattr(coverage, name), rate, 30, simulations=300, seed=1)
    # 300 simulations of 95 % have a standard deviation of 1.3 %.
    assert 0.91 <= found.held <= 0.995


def test_equal_seeds_simulate_the_same(coverage: Any) -> None:
    first, second, other = (
        coverage.simulated_coverage(coverage.FACTS, 0.75, 20, simulations=100, seed=seed) for seed in (0, 0, 5)
    )
    assert first == second
    assert first.held != other.held


@pytest.mark.parametrize("pair", [(0.5, 0.5, 1.0), (0.9, 0.7, 0.3)])
def test_intervals_of_differences_are_not_too_narrow(coverage: Any, pair: tuple[float, float, float]) -> None:
    assert coverage.difference_coverage(coverage.FACTS, pair, 30, simulations=200).held >= 0.92


def test_equal_systems_are_told_apart_in_five_percent_at_most(coverage: Any) -> None:
    assert coverage.false_alarms(coverage.OUTCOMES, 5, 200) == 0
    assert coverage.false_alarms(coverage.FACTS, 30, 200) <= 0.09


def test_a_committed_run_is_a_table_that_says_where_intervals_do_not_hold(benchmarks: Scripts) -> None:
    run = {
        "machine": {"commit": "c0ffee"},
        "simulations": 10,
        "coverage": [
            {"kind": "accuracy", "rate": 0.5, "documents": 20, "held": 0.95},
            {"kind": "accuracy", "rate": 0.99, "documents": 20, "held": 0.983},
            {"kind": "difference of accuracy", "rate": [0.9, 0.7, 0.3], "documents": 20, "held": 0.9},
        ],
        "false_alarms": [{"kind": "accuracy", "documents": 5, "share": 0.0}],
    }
    text = benchmarks("report.tables.coverage").coverage_table(run)
    assert "| accuracy | 95.0% to 98.3% | none | 0.99 of 20: 98.3% |" in text
    difference = "| difference of accuracy | 90.0% to 90.0% | 0.9 and 0.7, apart in 30%, of 20: 90.0% | none |"
    assert difference in text
    assert "accuracy, 5 documents: 0.0%" in text
