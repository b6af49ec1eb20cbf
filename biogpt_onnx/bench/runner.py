"""Benchmark runs: every contender in every scenario, into result rows."""

import dataclasses
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.machine import usable_cores
from biogpt_onnx.bench.measuring.interleaving import ContenderResult, InterleavedMeasurement, ScenarioResult, Settings
from biogpt_onnx.bench.measuring.measures import measures, roofline_times
from biogpt_onnx.bench.measuring.memory import memory_groups, refuse_large
from biogpt_onnx.bench.rows import Row, RowFile
from biogpt_onnx.bench.scenarios import Scenario
from biogpt_onnx.reporting.progress import Progress, StepCounter
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.system.cores import can_choose_cores
from biogpt_onnx.runtime.system.memory import available_memory


@dataclass(frozen=True)
class Plan:
    """Plan of a run: contenders, scenarios and settings.

    Attributes:
        contenders: the contenders, in the order of their turns.
        scenarios: the scenarios.
        threads: numbers of threads; empty for one a core that the process may use. A scenario of a single thread always
            has one.
        settings: amount of measuring.
    """

    contenders: tuple[Contender, ...]
    scenarios: tuple[Scenario, ...]
    threads: tuple[int, ...] = ()
    settings: Settings = field(default_factory=Settings)

    def check(self, *, check_memory: bool = True) -> None:
        """Refuses a plan that could not be carried out, before anything is measured.

        Args:
            check_memory: False to try what seems to need too much memory.

        Raises:
            ConfigError: two contenders have one name, a setting is out of range, or a contender has too few positions
                or needs too much memory.
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
        if check_memory:
            refuse_large(self.contenders, self.scenarios, available_memory())

    def cells(self) -> list[tuple[Scenario, int]]:
        """Returns each scenario with each of its numbers of threads, once."""
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
    progress: Progress | None = None,
) -> None:
    """Measures what the rows do not hold yet; the rows of a scenario are kept as soon as it is done.

    Args:
        plan: the plan, checked.
        rows: receives the results.
        machine: description of the machine for every row.
        logs: a folder for the contenders' standard error; None discards it.
        progress: called with the numbers of turns after each turn.
    """
    waiting = [(scenario, threads, _missing(plan, rows, scenario, threads)) for scenario, threads in plan.cells()]
    count = StepCounter(sum(len(missing) for *_, missing in waiting) * (plan.settings.min_runs + 1), progress)
    with tempfile.TemporaryDirectory(prefix="biogpt-onnx-bench-") as folder:
        for scenario, threads, missing in waiting:
            for group in memory_groups(missing, scenario, available_memory()):
                started = datetime.now(UTC).isoformat(timespec="seconds")
                cores = usable_cores()[:threads]
                measurement = InterleavedMeasurement(scenario, cores, plan.settings, logs or Path(folder), count)
                measured = measurement.measure(group)
                about = {
                    "machine": dict(machine),
                    "settings": dataclasses.asdict(plan.settings),
                    "started": started,
                    "threads": threads,
                    "pinned_to_cores": list(cores) if can_choose_cores() else None,
                    "in_turns_with": [contender.name for contender in group],
                }
                for result in measured.results:
                    rows.add(about | _row(result, scenario, measured))


def _missing(plan: Plan, rows: RowFile, scenario: Scenario, threads: int) -> list[Contender]:
    return [
        contender
        for contender in plan.contenders
        if (contender.in_all_scenarios or scenario.for_all)
        and not rows.holds(("measurement", contender.name, scenario.name, threads))
    ]


def _row(result: ContenderResult, scenario: Scenario, measured: ScenarioResult) -> Row:
    contender = result.contender
    bandwidth, matmul = statistics.median(measured.bandwidths), statistics.median(measured.matmuls)
    found = measures(scenario, result.runs, result.first_tokens) if result.runs else {}
    loading = {name: value for name, value in result.loading.items() if name != "versions"}
    return {
        "kind": "measurement",
        "status": result.status,
        "reason": result.reason,
        "contender": contender.describe(),
        "versions": result.loading.get("versions", {}),
        "scenario": dataclasses.asdict(scenario),
        "loading": loading,
        "memory": result.memory,
        "limits": {
            "read_bandwidth": bandwidth,
            "matmul_rate": matmul,
            "read_bandwidth_samples": measured.bandwidths,
            "matmul_rate_samples": measured.matmuls,
        },
        "measures": found,
        "floors": roofline_times(contender, scenario, found, bandwidth, matmul) if found else {},
        "samples": {"token_seconds": result.runs, "first_token_seconds": result.first_tokens},
    }
