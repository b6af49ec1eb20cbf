"""Contenders side by side: one turn each, round after round, whoever waits being halted."""

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
from biogpt_onnx.bench.process import ContenderError, PinnedProcess
from biogpt_onnx.bench.scenarios import Scenario

_FIRST_ID = 4
_WAKING_TOKENS = 16
_WAKING_NEW_TOKENS = 2
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        min_runs: generations of each contender, at least.
        min_seconds: seconds that these take together, at least.
    """

    min_runs: int = 6
    min_seconds: float = 3.0


@dataclass
class Outcome:
    """What came of one contender in one scenario.

    Attributes:
        contender: who it was.
        status: "measured", "unsupported" or "failed".
        reason: why not, in the two latter cases.
        runs: of each generation the seconds of every token.
        first_tokens: seconds to a first token, from generations of their own, where steps cannot be seen.
        loading: what the process said first.
        memory: what it said of its memory at the end.
    """

    contender: Contender
    status: str = "measured"
    reason: str | None = None
    runs: list[list[float]] = field(default_factory=list)
    first_tokens: list[float] | None = None
    loading: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)

    def give_up(self, status: str, reason: str) -> None:
        """It is not measured any further, and what was is not kept."""
        self.status, self.reason, self.runs, self.first_tokens = status, reason, [], None


@dataclass(frozen=True)
class Measured:
    """What a scenario gave.

    Attributes:
        outcomes: one for each contender.
        bandwidths: bytes a second, once a round.
        matmuls: operations a second, once a round.
    """

    outcomes: list[Outcome]
    bandwidths: list[float]
    matmuls: list[float]


class Rounds:
    """Measures contenders that fit into memory together in one scenario.

    A round is: the machine's own limits, then every contender's turn. In a turn it is woken by a short generation that
    is not counted, and then measured for its share of `Settings.min_seconds`, at least once. The first round warms up.
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

    def measure(self, contenders: Sequence[Contender]) -> Measured:
        """Has each contender measured; one that fails is an outcome that says so."""
        outcomes = [Outcome(contender) for contender in contenders]
        bandwidths, matmuls = [], []
        with ExitStack() as stack:
            probe = stack.enter_context(self._probe())
            is_cold = self._scenario.kind == "cold start"
            turns = [self._cold_turn(each) if is_cold else self._warm_turn(stack, each) for each in outcomes]
            for number in range(self._settings.min_runs + 1):
                probe.resume()
                limits = probe.ask({})
                probe.halt()
                bandwidths.append(limits["bandwidth"])
                matmuls.append(limits["matmul"])
                for outcome, turn in zip(outcomes, turns, strict=True):
                    _guarded(outcome, turn, counted=number > 0)
                    self._turn_done()
        return Measured(outcomes, bandwidths, matmuls)

    def _probe(self) -> PinnedProcess:
        command = [sys.executable, "-m", "biogpt_onnx.bench.probe", "--threads", str(len(self._cores))]
        # Each thread computes by itself.
        one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        probe = PinnedProcess(command, self._cores, self._logs / "probe.log", one)
        probe.halt()
        return probe

    def _start(self, contender: Contender) -> PinnedProcess:
        command = contender.command(len(self._cores))
        log = self._logs / f"{''.join(c if c.isalnum() else '-' for c in contender.name)}.log"
        return PinnedProcess(command, self._cores, log, contender.environment)

    def _cold_turn(self, outcome: Outcome) -> Callable[[bool], None]:
        def turn(counted: bool) -> None:  # noqa: FBT001 -- called by `_guarded` alone
            with self._start(outcome.contender) as process:
                self._generate(process, outcome.contender, self._scenario.new_tokens)
                seconds = perf_counter() - process.started
                outcome.loading = process.hello
                outcome.memory = process.ask({"memory": {}})
            if counted:
                outcome.runs.append([seconds])

        return turn

    def _warm_turn(self, stack: ExitStack, outcome: Outcome) -> Callable[[bool], None]:
        started: list[PinnedProcess] = []

        def load() -> PinnedProcess:
            process = stack.enter_context(self._start(outcome.contender))
            started.append(process)
            outcome.loading = process.hello
            return process

        def turn(counted: bool) -> None:  # noqa: FBT001 -- as above
            process = started[0] if started else load()
            process.resume()
            try:
                self._measure(process, outcome, counted=counted)
            finally:
                process.halt()
                time.sleep(_PAUSE_SECONDS)

        return turn

    def _measure(self, process: PinnedProcess, outcome: Outcome, *, counted: bool) -> None:
        # Whoever has just been woken starts slowly.
        self._generate(process, outcome.contender, _WAKING_NEW_TOKENS, waking=True)
        least = self._settings.min_seconds / self._settings.min_runs if counted else 0.0
        start = perf_counter()
        while True:
            seconds = self._generate(process, outcome.contender, self._scenario.new_tokens)
            seen = len(seconds) == self._scenario.new_tokens
            first = None if seen else self._generate(process, outcome.contender, 1)[-1]
            if counted:
                outcome.runs.append([round(value, 6) for value in seconds])
                if first is not None:
                    outcome.first_tokens = [*(outcome.first_tokens or []), round(first, 6)]
            if perf_counter() - start >= least:
                break
        outcome.memory = process.ask({"memory": {}})

    def _generate(
        self, process: PinnedProcess, contender: Contender, new_tokens: int, *, waking: bool = False
    ) -> list[float]:
        scenario = self._scenario
        batch_size, beams = (1, 1) if waking else (scenario.batch_size, scenario.num_beams)
        length = min(_WAKING_TOKENS, scenario.prompt_tokens) if waking else scenario.prompt_tokens
        prompts = random_prompts(batch_size, length, contender.vocab_size)
        answer = process.ask({"generate": {"prompts": prompts, "new_tokens": new_tokens, "num_beams": beams}})
        if "unsupported" in answer:
            raise _UnsupportedError(str(answer["unsupported"]))
        seconds = [float(value) for value in answer.get("seconds", [])]
        if len(seconds) not in {1, new_tokens} or seconds != sorted(seconds) or seconds[0] <= 0:
            raise ContenderError(f"it answered {len(seconds)} times for {new_tokens} new tokens")
        return seconds


class _UnsupportedError(Exception):
    """The contender says that it cannot do this at all."""


def random_prompts(batch_size: int, tokens: int, vocab_size: int) -> list[list[int]]:
    """Prompts of equal length, the same at every call: `</s>`, and then any tokens."""
    drawn = np.random.default_rng(0).integers(_FIRST_ID, vocab_size, (batch_size, tokens - 1))
    return [[2, *row] for row in drawn.tolist()]


def _guarded(outcome: Outcome, turn: Callable[[bool], None], *, counted: bool) -> None:
    if outcome.status != "measured":
        return
    try:
        turn(counted)
    except _UnsupportedError as error:
        outcome.give_up("unsupported", str(error))
    except ContenderError as error:
        outcome.give_up("failed", str(error))
