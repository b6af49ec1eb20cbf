from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.bench import runner
from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.machine import describe, usable_cores
from biogpt_onnx.bench.measuring.interleaving import ContenderResult, InterleavedMeasurement, ScenarioResult, Settings
from biogpt_onnx.bench.measuring.memory import memory_groups, refuse_large
from biogpt_onnx.bench.rows import RowFile, open_rows, read_rows
from biogpt_onnx.bench.runner import Plan, run
from biogpt_onnx.bench.scenarios import Scenario, select
from biogpt_onnx.runtime.errors import ConfigError
from makers.contenders import MACHINE, NoProbe, fake_contender

SETTINGS = Settings(min_runs=1, min_seconds=0.0)
TINY = Scenario("tiny", prompt_tokens=4, new_tokens=2)
SMALL = Scenario("small", prompt_tokens=4, new_tokens=2, for_all=True)


class Recorder:
    """Stands in the place of `InterleavedMeasurement`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, interrupted_at: int | None = None) -> None:
        self.groups: list[list[str]] = []
        recorder = self

        class FakeMeasurement:
            def __init__(self, *_: Any) -> None: ...

            def measure(self, contenders: list[Contender]) -> ScenarioResult:
                recorder.groups.append([contender.name for contender in contenders])
                if len(recorder.groups) == interrupted_at:
                    raise KeyboardInterrupt
                results = [ContenderResult(each, runs=[[0.1, 0.2]], memory={}, loading={}) for each in contenders]
                return ScenarioResult(results, [1e9], [1e10])

        monkeypatch.setattr(runner, "InterleavedMeasurement", FakeMeasurement)


def plan(*contenders: Contender, scenarios: tuple[Scenario, ...] = (TINY, SMALL), **fields: Any) -> Plan:
    return Plan(contenders, scenarios, settings=SETTINGS, **fields)


def test_a_row_stands_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    Recorder(monkeypatch)
    rows = RowFile(None)
    run(plan(fake_contender(remark="GELU in the tanh form")), rows, describe())
    row = rows.rows[0]
    assert row["contender"]["remark"] == "GELU in the tanh form"
    assert {"commit", "cpu", "instruction_sets", "versions"} <= set(row["machine"])
    assert row["limits"]["read_bandwidth"] == 1e9
    assert row["samples"]["token_seconds"] == [[0.1, 0.2]]
    assert row["pinned_to_cores"] == list(usable_cores())
    assert row["floors"]["step_bandwidth_fraction"] == pytest.approx(500_000 / 1e9 / 0.1)


def test_an_interrupted_run_keeps_what_it_has_and_measures_only_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    asked = plan(fake_contender("a"), fake_contender("b"))
    Recorder(monkeypatch, interrupted_at=2)
    with pytest.raises(KeyboardInterrupt):
        run(asked, open_rows(path, MACHINE, {}, {}), MACHINE)
    assert [row["scenario"]["name"] for row in read_rows(path)] == ["tiny", "tiny"]
    recorder = Recorder(monkeypatch)
    rows = RowFile(path, read_rows(path))
    run(asked, rows, MACHINE)
    assert recorder.groups == [["a", "b"]]
    assert [row["scenario"]["name"] for row in rows.rows] == ["tiny", "tiny", "small", "small"]
    again = Recorder(monkeypatch)
    run(asked, rows, MACHINE)
    assert again.groups == []


def test_most_contenders_are_measured_in_the_headlines_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch)
    run(plan(fake_contender("a"), fake_contender("b", in_all_scenarios=False)), RowFile(None), MACHINE)
    assert recorder.groups == [["a"], ["a", "b"]]


def test_progress_is_told_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(InterleavedMeasurement, "_probe", lambda _: NoProbe())
    run(
        plan(fake_contender(), scenarios=(TINY,)),
        RowFile(None),
        MACHINE,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 2), (2, 2)]


def test_threads_are_those_asked_for_and_one_where_a_scenario_says_so() -> None:
    scenarios = (TINY, Scenario("single", single_thread=True))
    assert plan(scenarios=scenarios, threads=(1,)).cells() == [(scenarios[0], 1), (scenarios[1], 1)]
    assert plan(scenarios=scenarios).cells()[0] == (TINY, len(usable_cores()))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (plan(fake_contender(), fake_contender()), "two contenders are called fake: rename"),
        (plan(fake_contender(), threads=(0,)), "threads is 0"),
        (plan(fake_contender(), threads=(100_000,)), "threads is 100000: this process may use"),
        (plan(fake_contender(max_positions=5)), "scenario tiny needs 6 positions, fake has 5"),
        (plan(fake_contender(resident_bytes=10**15)), "fake needs about 1000000.0 GB of memory"),
        (Plan((), (), settings=Settings(min_runs=0)), "min_runs is 0"),
        (Plan((), (), settings=Settings(min_seconds=float("nan"))), "min_seconds nan"),
    ],
)
def test_what_could_not_be_measured_is_refused_first(asked: Plan, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "available_memory", lambda: 8 * 10**9)
    with pytest.raises(ConfigError, match=said):
        asked.check()


def test_contenders_that_fit_into_memory_together_are_measured_together() -> None:
    contenders = [fake_contender(str(number), resident_bytes=3 * 10**9) for number in range(5)]
    found = memory_groups(contenders, TINY, 10 * 10**9)
    assert [[each.name for each in group] for group in found] == [["0", "1"], ["2", "3"], ["4"]]
    assert len(memory_groups(contenders, TINY, None)) == 1
    assert len(memory_groups(contenders, select(["cold-start"])[0], 10 * 10**9)) == 1
    assert memory_groups([], TINY, None) == []


def test_a_batch_needs_memory_for_its_cache() -> None:
    contender = fake_contender(resident_bytes=0)
    # 2 layers of 64 keys and as many values in float32: 1 kB a token.
    large = Scenario("large", batch_size=8, prompt_tokens=900, new_tokens=100, num_beams=5)
    refuse_large([contender], [large], 50_000_000)
    with pytest.raises(ConfigError, match=r"fake needs about 0\.0 GB"):
        refuse_large([contender], [large], 40_000_000)
