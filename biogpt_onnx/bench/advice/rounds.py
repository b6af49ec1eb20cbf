"""Rounds of turns: what changes on the machine over time changes for all that are measured."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Protocol

from biogpt_onnx.bench.advice.measurements import Measurement, Times
from biogpt_onnx.bench.advice.recommending import worth_measuring
from biogpt_onnx.reporting.progress import Progress

MIN_ROUNDS = 3
"""Rounds of those that may win, at least: the median of fewer would not leave out a disturbance."""
MAX_ROUNDS = 7
"""Rounds, at most."""


class Subject(Protocol):
    """A bundle that is loaded with a number of threads."""

    @property
    def measurement(self) -> Measurement:
        """What was measured of it so far."""
        ...

    def turn(self) -> tuple[Times, int]:
        """Takes a turn; returns its times, and the bytes of memory that it has now (0 if they are not known)."""
        ...


def take_rounds(
    subjects: Sequence[Subject],
    seconds: float,
    *,
    clock: Callable[[], float] = perf_counter,
    progress: Progress | None = None,
) -> None:
    """Has subjects take turns, round after round, and notes what they measure.

    All take part in the first round, and then those that are `worth_measuring`. There are three rounds at least, seven
    at most, and no further one is begun when the time is over.

    Args:
        subjects: what is measured.
        seconds: time after which no further round is begun.
        clock: returns the time in seconds.
        progress: called with the numbers of turns that are done and expected after each turn.
    """
    start, done, running = clock(), 0, list(subjects)
    for number in range(MAX_ROUNDS):
        # In turn from both ends, so that nobody always follows the same one.
        for subject in running if number % 2 == 0 else running[::-1]:
            times, resident_bytes = subject.turn()
            subject.measurement.rounds[number] = times
            subject.measurement.resident_bytes = max(subject.measurement.resident_bytes, resident_bytes)
            done += 1
            if progress is not None:
                progress(done, max(done, len(subjects) + (MIN_ROUNDS - 1) * len(running)))
        if number + 1 >= MIN_ROUNDS and clock() - start >= seconds:
            return
        worth = worth_measuring([subject.measurement for subject in subjects])
        running = [subject for subject in subjects if subject.measurement in worth]
