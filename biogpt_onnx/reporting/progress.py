"""Progress of long work: a counter of its steps, and a line on the terminal."""

import sys
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Self

Progress = Callable[[int, int], None]
"""Called with the number of steps that are done and the number of all steps."""


class StepCounter:
    """Counts steps, and reports each one.

    Args:
        total: number of all steps.
        progress: called after each step; None to report to nothing.
    """

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self) -> None:
        """Counts one more step."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


class ProgressLine:
    """A line on standard error that shows the percentage of steps done; shown on a terminal only.

    It is a `Progress`, and a context manager that removes the line at the end.

    Args:
        what: names the work.
        estimate: whether to add about how long the rest takes; each step must take about as long as the others.
        check: called before each update; it may raise to end the work.
    """

    def __init__(self, what: str, *, estimate: bool = False, check: Callable[[], None] = lambda: None) -> None:
        self._what = what
        self._estimate = estimate
        self._check = check
        self._percent = -1
        self._first: tuple[int, float] | None = None

    def __call__(self, done: int, total: int) -> None:
        """Shows the line again if the percentage has changed.

        Args:
            done: number of steps that are done.
            total: number of all steps.
        """
        self._check()
        percent = 100 * done // max(total, 1)
        if percent != self._percent and sys.stderr.isatty():
            left = self._time_left(done, total) if self._estimate else ""
            _show(f"\r{self._what}: {percent:3d} %{left}\x1b[K")
        self._percent = percent

    def _time_left(self, done: int, total: int) -> str:
        if self._first is None:
            self._first = (done, monotonic())
        start, began = self._first
        if done == start:
            return ""
        return f", about {_duration((monotonic() - began) / (done - start) * (total - done))} left"

    def __enter__(self) -> Self:
        """Returns the line, which is not shown before the first call."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes the line from the terminal."""
        if self._percent >= 0 and sys.stderr.isatty():
            _show("\r\x1b[K")


def _show(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
