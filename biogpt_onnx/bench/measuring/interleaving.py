"""Interleaved measurement of contenders: one turn each, round after round, while the others are halted.

What changes on the machine over time thereby changes for all of them.
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.measuring.process import ContenderError, PinnedProcess
from biogpt_onnx.bench.scenarios import Scenario

_FIRST_ID = 4
_WARM_UP_PROMPT_TOKENS = 16
_WARM_UP_NEW_TOKENS = 2
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Settings:
    """Amount of measuring.

    Attributes:
        min_runs: least number of generations of each contender.
        min_seconds: least number of seconds that these take together.
    """

    min_runs: int = 6
    min_seconds: float = 3.0


@dataclass
class ContenderResult:
    """Result of one contender in one scenario.

    Attributes:
        contender: the contender.
        status: "measured", "unsupported" or "failed".
        reason: the reason in the two latter cases.
        runs: seconds of every token of each generation.
        first_tokens: seconds to a first token, from generations of their own, where steps cannot be seen.
        loading: the first line of its process.
        memory: its memory at the end, see `protocol.memory`.
    """

    contender: Contender
    status: str = "measured"
    reason: str | None = None
    runs: list[list[float]] = field(default_factory=list)
    first_tokens: list[float] | None = None
    loading: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)

    def give_up(self, status: str, reason: str) -> None:
        """Ends its measurement and discards the runs so far."""
        self.status, self.reason, self.runs, self.first_tokens = status, reason, [], None


@dataclass(frozen=True)
class ScenarioResult:
    """Results of all contenders in one scenario.

    Attributes:
        results: one of each contender.
        bandwidths: bytes a second that the machine read, of each round.
        matmuls: float32 operations a second that it computed, of each round.
    """

    results: list[ContenderResult]
    bandwidths: list[float]
    matmuls: list[float]


class InterleavedMeasurement:
    """Measures contenders that fit into memory together in one scenario.

    In each round the machine's own limits are measured, and then every contender has a turn. A turn begins with a short
    generation that is not counted, because a process that was halted starts slowly; then the contender is measured for
    its share of `Settings.min_seconds`, at least once. The first round is a warm-up and is not counted.

    Args:
        scenario: the scenario.
        cores: cores that every process is pinned to; as many threads are used.
        settings: amount of measuring.
        logs: folder for the standard error of the processes.
        turn_done: called after each turn.
    """

    def __init__(
        self,
        scenario: Scenario,
        cores: Sequence[int],
        settings: Settings,
        logs: Path,
        turn_done: Callable[[], None] = lambda: None,
    ) -> None:
        self._scenario, self._cores, self._settings = scenario, tuple(cores), settings
        self._logs, self._turn_done = logs, turn_done

    def measure(self, contenders: Sequence[Contender]) -> ScenarioResult:
        """Measures the contenders; one that fails has a result that says so."""
        results = [ContenderResult(contender) for contender in contenders]
        bandwidths, matmuls = [], []
        with ExitStack() as stack:
            probe = stack.enter_context(self._probe())
            is_cold = self._scenario.kind == "cold start"
            turns = [self._cold_turn(each) if is_cold else self._warm_turn(stack, each) for each in results]
            for number in range(self._settings.min_runs + 1):
                probe.resume()
                limits = probe.ask({})
                probe.halt()
                bandwidths.append(limits["bandwidth"])
                matmuls.append(limits["matmul"])
                for result, turn in zip(results, turns, strict=True):
                    _take_turn(result, turn, counted=number > 0)
                    self._turn_done()
        return ScenarioResult(results, bandwidths, matmuls)

    def _probe(self) -> PinnedProcess:
        module = "biogpt_onnx.bench.measuring.machine_limits"
        command = [sys.executable, "-m", module, "--threads", str(len(self._cores))]
        # The probe starts its own threads, so each BLAS call must stay in its thread.
        one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        probe = PinnedProcess(command, self._cores, self._logs / "probe.log", one)
        probe.halt()
        return probe

    def _start(self, contender: Contender) -> PinnedProcess:
        command = contender.command(len(self._cores))
        log = self._logs / f"{''.join(c if c.isalnum() else '-' for c in contender.name)}.log"
        return PinnedProcess(command, self._cores, log, contender.environment)

    def _cold_turn(self, result: ContenderResult) -> Callable[[bool], None]:
        def turn(counted: bool) -> None:  # noqa: FBT001 -- called by `_take_turn` alone
            with self._start(result.contender) as process:
                self._generate(process, result.contender, self._scenario.new_tokens)
                seconds = perf_counter() - process.started
                result.loading = process.hello
                result.memory = process.ask({"memory": {}})
            if counted:
                result.runs.append([seconds])

        return turn

    def _warm_turn(self, stack: ExitStack, result: ContenderResult) -> Callable[[bool], None]:
        started: list[PinnedProcess] = []

        def load() -> PinnedProcess:
            process = stack.enter_context(self._start(result.contender))
            started.append(process)
            result.loading = process.hello
            process.settle()
            return process

        def turn(counted: bool) -> None:  # noqa: FBT001 -- as above
            process = started[0] if started else load()
            process.resume()
            try:
                self._measure(process, result, counted=counted)
            finally:
                process.halt()
                time.sleep(_PAUSE_SECONDS)

        return turn

    def _measure(self, process: PinnedProcess, result: ContenderResult, *, counted: bool) -> None:
        self._generate(process, result.contender, _WARM_UP_NEW_TOKENS, warm_up=True)
        least = self._settings.min_seconds / self._settings.min_runs if counted else 0.0
        start = perf_counter()
        while True:
            seconds = self._generate(process, result.contender, self._scenario.new_tokens)
            seen = len(seconds) == self._scenario.new_tokens
            first = None if seen else self._generate(process, result.contender, 1)[-1]
            if counted:
                result.runs.append([round(value, 6) for value in seconds])
                if first is not None:
                    result.first_tokens = [*(result.first_tokens or []), round(first, 6)]
            if perf_counter() - start >= least:
                break
        result.memory = process.ask({"memory": {}})

    def _generate(
        self, process: PinnedProcess, contender: Contender, new_tokens: int, *, warm_up: bool = False
    ) -> list[float]:
        scenario = self._scenario
        batch_size, beams = (1, 1) if warm_up else (scenario.batch_size, scenario.num_beams)
        length = min(_WARM_UP_PROMPT_TOKENS, scenario.prompt_tokens) if warm_up else scenario.prompt_tokens
        prompts = random_prompts(batch_size, length, contender.vocab_size)
        answer = process.ask({"generate": {"prompts": prompts, "new_tokens": new_tokens, "num_beams": beams}})
        if "unsupported" in answer:
            raise _UnsupportedError(str(answer["unsupported"]))
        seconds = [float(value) for value in answer.get("seconds", [])]
        if len(seconds) not in {1, new_tokens} or seconds != sorted(seconds) or seconds[0] <= 0:
            raise ContenderError(f"it answered {len(seconds)} times for {new_tokens} new tokens")
        return seconds


class _UnsupportedError(Exception):
    """The contender cannot run the scenario at all."""


def random_prompts(batch_size: int, tokens: int, vocab_size: int) -> list[list[int]]:
    """Returns prompts of equal length, equal at every call: `</s>`, and then random tokens.

    Args:
        batch_size: number of prompts.
        tokens: tokens of each prompt.
        vocab_size: bound of token ids.
    """
    drawn = np.random.default_rng(0).integers(_FIRST_ID, vocab_size, (batch_size, tokens - 1))
    return [[2, *row] for row in drawn.tolist()]


def _take_turn(result: ContenderResult, turn: Callable[[bool], None], *, counted: bool) -> None:
    if result.status != "measured":
        return
    try:
        turn(counted)
    except _UnsupportedError as error:
        result.give_up("unsupported", str(error))
    except ContenderError as error:
        result.give_up("failed", str(error))
