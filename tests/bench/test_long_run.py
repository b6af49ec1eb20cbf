"""The long run, for seconds, on the embedded checkpoint, and what it takes for growth."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from makers.contenders import Scripts

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
]

JOBS = {"server", "clients", "relations", "load and close"}


@pytest.mark.long
def test_everything_runs_side_by_side_with_the_same_results(
    benchmarks: Scripts, mini_bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("uvicorn")
    pytest.importorskip("matplotlib")
    output, plot = tmp_path / "long_run.json", tmp_path / "long-run.svg"
    words = ["--output", output, "--plot", plot, "--bundle", mini_bundle, "--seconds", 8, "--interval", 0.4]
    monkeypatch.setattr(sys, "argv", ["long_run", *map(str, words)])
    code = benchmarks("long_run.__main__").main()
    found = json.loads(output.read_text(encoding="utf-8"))
    assert set(found["series"]) == set(found["checks"]) == JOBS
    # Nothing is held against growth, which is still finding its level, nor against a slow machine.
    assert all(found["series"][job][-1]["different"] == 0 for job in JOBS - {"server"})
    assert any(found["series"][job][-1]["rounds"] > 1 for job in JOBS - {"server"})
    names = {"seconds", "resident_bytes", "threads", "open_files", "files"}
    assert all(names <= set(sample) for series in found["series"].values() for sample in series)
    assert code == (0 if all(all(checks.values()) for checks in found["checks"].values()) else 1)
    assert "resident memory" in plot.read_text(encoding="utf-8")


# What is growth.


def samples(slopes: Mapping[str, float] = MappingProxyType({}), count: int = 50) -> list[dict[str, Any]]:
    starts = {"resident_bytes": 1e8, "threads": 8, "open_files": 9, "files": 2}
    return [
        {"seconds": 10.0 * number, **{name: start + slopes.get(name, 0) * number for name, start in starts.items()}}
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("slopes", "failed"),
    [
        ({}, set()),
        ({"resident_bytes": 1e5}, {"memory_is_flat"}),
        ({"resident_bytes": 5e4}, set()),
        ({"threads": 1}, {"threads_do_not_grow"}),
        ({"open_files": 1}, {"open_files_do_not_grow"}),
        ({"files": 1}, {"temporary_files_do_not_grow"}),
    ],
)
def test_what_grows_all_the_time_is_said(benchmarks: Scripts, slopes: dict[str, float], failed: set[str]) -> None:
    series = benchmarks("long_run.series")
    taken = samples(slopes)
    checks = series.checks_of(taken, series.growth_of(taken))
    assert {name for name, held in checks.items() if not held} == failed


def test_growth_at_the_beginning_and_files_that_come_and_go_are_none(benchmarks: Scripts) -> None:
    series = benchmarks("long_run.series")
    taken = samples()
    for number, sample in enumerate(taken):
        sample["resident_bytes"] -= 5e7 * (number < 8)
        sample["files"] += number % 2
    assert all(series.checks_of(taken, series.growth_of(taken)).values())


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ({"rounds": 9, "different": 0}, True),
        ({"rounds": 9, "different": 1}, False),
        ({"rounds": 1, "different": 0}, False),
    ],
)
def test_a_round_with_another_result_is_said(benchmarks: Scripts, last: dict[str, int], expected: object) -> None:
    series = benchmarks("long_run.series")
    taken = samples()
    taken[-1] |= last
    assert series.checks_of(taken, series.growth_of(taken))["every_round_had_the_same_result"] is expected
