"""A line that shows how far long work has come: on a terminal, and nowhere else."""

import sys
from types import TracebackType
from typing import Self

from biogpt_onnx.cli.termination import check


class Progress:
    """Call it with how much of how much is done."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._percent = -1

    def __call__(self, done: int, total: int) -> None:
        """Shows the line again where the percentage has changed; ends here if the process was asked to."""
        check()
        percent = 100 * done // max(total, 1)
        if percent != self._percent and sys.stderr.isatty():
            print(f"\r{self._what}: {percent:3d} %", end="", file=sys.stderr, flush=True)
        self._percent = percent

    def __enter__(self) -> Self:
        """Shows nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wipes the line."""
        if self._percent >= 0 and sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
