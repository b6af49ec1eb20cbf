"""A bundle in a process of its own, which takes turns."""

from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from biogpt_onnx.bench.advice.measurements import BATCH_SIZE, NUM_BEAMS, PROMPT_TOKENS, Measurement, Times
from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.measuring.interleaving import random_prompts
from biogpt_onnx.bench.measuring.process import ContenderError, PinnedProcess
from biogpt_onnx.runtime.system.cores import allowed_cores

_SHORT_PROMPT = 16
_STEPS = 5
_STEPS_OF_ROWS = 3
NEEDED_POSITIONS = PROMPT_TOKENS + _STEPS + 1
"""Positions that a bundle must have."""


class BundleSubject:
    """A bundle that is loaded with a number of threads, in a process that is halted between its turns.

    Its threads are not pinned, as those of its users are not.

    Args:
        contender: the bundle.
        measurement: receives what is measured.
        log: file for what the process says.
        stack: ends the process.

    Raises:
        ContenderError: the process does not start.
    """

    def __init__(self, contender: Contender, measurement: Measurement, log: Path, stack: ExitStack) -> None:
        self._contender, self._measurement = contender, measurement
        try:
            command = contender.command(measurement.threads)
            self._process = stack.enter_context(PinnedProcess(command, allowed_cores(), log, contender.environment))
            self._process.settle()
        except ContenderError as error:
            raise ContenderError(f"{measurement.label}: {error}") from error
        self._process.halt()
        self._is_warm = False

    @property
    def measurement(self) -> Measurement:
        """What was measured so far."""
        return self._measurement

    def turn(self) -> tuple[Times, int]:
        """Takes a turn; see `Subject`."""
        self._process.resume()
        try:
            # A process that was halted starts slowly, and one that was just loaded has not touched its memory yet.
            self._generate(1, _SHORT_PROMPT if self._is_warm else PROMPT_TOKENS, 2)
            self._is_warm = True
            one = self._generate(1, PROMPT_TOKENS, 1 + _STEPS)
            beams = self._generate(1, _SHORT_PROMPT, 1 + _STEPS_OF_ROWS, NUM_BEAMS)
            batch = self._generate(BATCH_SIZE, _SHORT_PROMPT, 1 + _STEPS_OF_ROWS)
            memory = self._ask({"memory": {}})
        finally:
            self._process.halt()
        times = Times(prompt=one[0], step=_step(one), beams=_step(beams), batch=_step(batch))
        return times, int(memory["resident_bytes"])

    def _generate(self, batch_size: int, tokens: int, new_tokens: int, num_beams: int = 1) -> list[float]:
        prompts = random_prompts(batch_size, tokens, self._contender.vocab_size)
        answer = self._ask({"generate": {"prompts": prompts, "new_tokens": new_tokens, "num_beams": num_beams}})
        seconds = [float(value) for value in answer["seconds"]]
        if len(seconds) != new_tokens:
            raise ContenderError(f"{self._measurement.label}: {len(seconds)} times for {new_tokens} tokens")
        return seconds

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._process.ask(request)
        except ContenderError as error:
            raise ContenderError(f"{self._measurement.label}: {error}") from error


def _step(seconds: list[float]) -> float:
    """Returns the median time between tokens."""
    return median(after - before for before, after in pairwise(seconds))
