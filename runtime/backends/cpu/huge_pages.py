"""The move of a session's weights to huge pages, beside the passes."""

from contextlib import suppress
from threading import Event

from biogpt_onnx.runtime.background import start_in_background
from biogpt_onnx.runtime.system.weight_pages import anonymous_memory, move_to_huge_pages

DELAY_SECONDS = 0.5
"""Seconds before the move begins: a model that is loaded for a short answer gives it sooner without."""

_moves: set[Event] = set()
"""Of each move that has not ended, what is set when it does."""


class HugePages:
    """Moves the memory that is taken after its creation to huge pages; see `move_to_huge_pages`.

    A thread of its own does so: it takes about a second for BioGPT's size, in which passes are slower.
    """

    def __init__(self) -> None:
        self._before = anonymous_memory()
        self._stop, self._ended = Event(), Event()

    def begin(self) -> None:
        """Begins to move what was taken, after `DELAY_SECONDS`; where no thread can be had, all stays as it is."""
        _moves.add(self._ended)
        try:
            start_in_background(self._move)
        except MemoryError:
            _moves.discard(self._ended)

    def stop(self) -> None:
        """Ends it, as the memory is freed."""
        self._stop.set()

    def _move(self) -> None:
        try:
            if not self._stop.wait(DELAY_SECONDS):
                # Weights that cannot be moved are used where they lie.
                with suppress(MemoryError):
                    move_to_huge_pages(self._before, self._stop)
        finally:
            _moves.discard(self._ended)
            self._ended.set()


def wait_for_moves() -> None:
    """Waits until no weights of this process are being moved to huge pages, as one who measures passes should."""
    for ended in list(_moves):
        ended.wait()
