"""A line that shows how far long work has come: on a terminal, and nowhere else."""

import sys
from time import monotonic
from types import TracebackType
from typing import Self

from biogpt_onnx.cli.termination import check


class Progress:
    """Call it with how much of how much is done.

    Args:
        what: what is going on.
        estimate: whether to say about how long the rest takes; each part must take about as long as the others.
    """

    def __init__(self, what: str, *, estimate: bool = False) -> None:
        self._what = what
        self._estimate = estimate
        self._percent = -1
        self._first: tuple[int, float] | None = None

    def __call__(self, done: int, total: int) -> None:
        """Shows the line again where the percentage has changed; ends here if the process was asked to."""
        check()
        percent = 100 * done // max(total, 1)
        if percent != self._percent and sys.stderr.isatty():
            left = self._left(done, total) if self._estimate else ""
            print(f"\r{self._what}: {percent:3d} %{left}\x1b[K", end="", file=sys.stderr, flush=True)
        self._percent = percent

    def _left(self, done: int, total: int) -> str:
        if self._first is None:
            self._first = (done, monotonic())
        start, began = self._first
        if done == start:
            return ""
        return f", about {_duration((monotonic() - began) / (done - start) * (total - done))} left"

    def __enter__(self) -> Self:
        """Shows nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wipes the line."""
        if self._percent >= 0 and sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
