"""A whole run: every contender in every scenario, into rows."""

import dataclasses
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.machine import available_memory, usable_cores
from biogpt_onnx.bench.measures import floors, measures
from biogpt_onnx.bench.memory import check_memory, groups
from biogpt_onnx.bench.rounds import Measured, Outcome, Rounds, Settings
from biogpt_onnx.bench.rows import Row, RowFile
from biogpt_onnx.bench.scenarios import Scenario
from biogpt_onnx.runtime.errors import ConfigError

Progress = Callable[[int, int], None]
"""Told how many of how many turns are done."""


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        contenders: who; their order is that of the turns.
        scenarios: in what.
        threads: numbers of threads; empty for all cores that the process may use. A scenario of a single thread has one
            whatever stands here.
        settings: how much.
    """

    contenders: tuple[Contender, ...]
    scenarios: tuple[Scenario, ...]
    threads: tuple[int, ...] = ()
    settings: Settings = field(default_factory=Settings)

    def check(self) -> None:
        """Refuses what could not be measured, before anything is.

        Raises:
            ConfigError: names what is wrong and what to do.
        """
        names = [contender.name for contender in self.contenders]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"two contenders are called {name}: rename one's folder")
        if self.settings.min_runs < 1 or not 0 <= self.settings.min_seconds < float("inf"):
            raise ConfigError(
                f"min_runs is {self.settings.min_runs}, min_seconds {self.settings.min_seconds}: "
                "give at least 1 run, and 0 seconds or more"
            )
        cores = len(usable_cores())
        for threads in self.threads:
            if not 1 <= threads <= cores:
                raise ConfigError(f"threads is {threads}: this process may use {cores} cores, give 1 to {cores}")
        for contender in self.contenders:
            for scenario in self.scenarios:
                if scenario.total_tokens > contender.max_positions:
                    raise ConfigError(
                        f"scenario {scenario.name} needs {scenario.total_tokens} positions, {contender.name} has "
                        f"{contender.max_positions}: leave one of them out"
                    )
        check_memory(self.contenders, self.scenarios, available_memory())

    def cells(self) -> list[tuple[Scenario, int]]:
        """Each scenario with each number of threads, once."""
        everywhere = tuple(dict.fromkeys(self.threads)) or (len(usable_cores()),)
        return [
            (scenario, threads)
            for scenario in self.scenarios
            for threads in ((1,) if scenario.single_thread else everywhere)
        ]


def run(
    plan: Plan,
    rows: RowFile,
    machine: Mapping[str, Any],
    *,
    logs: Path | None = None,
    progress: Progress = lambda _done, _total: None,
) -> None:
    """Measures whatever the rows do not hold yet; a scenario's rows are kept as soon as it is done.

    Args:
        plan: what to measure, checked.
        rows: where the results go.
        machine: what every row says of the machine.
        logs: a folder for what the contenders say on standard error; None throws it away.
        progress: called after each turn.
    """
    waiting = [(scenario, threads, _missing(plan, rows, scenario, threads)) for scenario, threads in plan.cells()]
    count = _Counter(sum(len(missing) for *_, missing in waiting) * (plan.settings.min_runs + 1), progress)
    with tempfile.TemporaryDirectory(prefix="biogpt-onnx-bench-") as folder:
        for scenario, threads, missing in waiting:
            for group in groups(missing, scenario, available_memory()):
                started = datetime.now(UTC).isoformat(timespec="seconds")
                cores = usable_cores()[:threads]
                rounds = Rounds(scenario, cores, plan.settings, logs or Path(folder), count)
                measured = rounds.measure(group)
                about = {
                    "machine": dict(machine),
                    "settings": dataclasses.asdict(plan.settings),
                    "started": started,
                    "threads": threads,
                    "pinned_to_cores": list(cores) if hasattr(os, "sched_setaffinity") else None,
                    "in_turns_with": [contender.name for contender in group],
                }
                for outcome in measured.outcomes:
                    rows.add(about | _row(outcome, scenario, measured))


class _Counter:
    """Counts turns."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self) -> None:
        self._done += 1
        self._progress(self._done, self._total)


def _missing(plan: Plan, rows: RowFile, scenario: Scenario, threads: int) -> list[Contender]:
    return [
        contender
        for contender in plan.contenders
        if (contender.stands_for_others or scenario.for_all)
        and not rows.holds(("measurement", contender.name, scenario.name, threads))
    ]


def _row(outcome: Outcome, scenario: Scenario, measured: Measured) -> Row:
    contender = outcome.contender
    bandwidth, matmul = statistics.median(measured.bandwidths), statistics.median(measured.matmuls)
    found = measures(scenario, outcome.runs, outcome.first_tokens) if outcome.runs else {}
    loading = {name: value for name, value in outcome.loading.items() if name != "versions"}
    return {
        "kind": "measurement",
        "status": outcome.status,
        "reason": outcome.reason,
        "contender": contender.describe(),
        "versions": outcome.loading.get("versions", {}),
        "scenario": dataclasses.asdict(scenario),
        "loading": loading,
        "memory": outcome.memory,
        "limits": {
            "read_bandwidth": bandwidth,
            "matmul_rate": matmul,
            "read_bandwidth_samples": measured.bandwidths,
            "matmul_rate_samples": measured.matmuls,
        },
        "measures": found,
        "floors": floors(contender, scenario, found, bandwidth, matmul) if found else {},
        "samples": {"token_seconds": outcome.runs, "first_token_seconds": outcome.first_tokens},
    }
