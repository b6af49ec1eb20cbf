"""Progress of long work: a counter of its steps."""

from collections.abc import Callable

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
