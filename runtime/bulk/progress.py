"""Progress of long work: a line on the terminal."""

import sys
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Self


class ProgressLine:
    """A line on standard error that shows how much is done; shown on a terminal only.

    It is called with the number of steps done and of all, and a context manager that removes the line at the end.

    Args:
        what: names the work.
        estimate: whether to add about how long the rest takes; each step must take about as long as the others.
        check: called before each update; it may raise to end the work.
    """

    def __init__(self, what: str, *, estimate: bool = False, check: Callable[[], None] = lambda: None) -> None:
        self._what = what
        self._estimate = estimate
        self._check = check
        self._shown = ""
        self._first: tuple[int, float] | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Shows the line again if the percentage has changed, or the number of steps if there is no percentage.

        Args:
            done: number of steps that are done.
            total: number of all steps; None if it is not known.
        """
        self._check()
        share = f"{done:,}" if total is None else f"{100 * done // max(total, 1):3d} %"
        if share != self._shown and _is_terminal():
            left = self._time_left(done, total) if self._estimate and total is not None else ""
            _show(f"\r{self._what}: {share}{left}\x1b[K")
        self._shown = share

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
        if self._shown and _is_terminal():
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


def _is_terminal() -> bool:
    # A program without a console has no standard error.
    return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()
