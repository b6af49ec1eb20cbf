"""The move of a session's weights to huge pages, beside the passes."""

import contextlib
import threading
from threading import Event, Thread

from biogpt_onnx.runtime.system.weight_pages import anonymous_memory, move_to_huge_pages

DELAY_SECONDS = 0.5
"""Seconds before the move begins: a model that is loaded for a short answer gives it sooner without."""

_THREAD_NAME = "biogpt-huge-pages"


class HugePages:
    """Moves the memory that is taken after its creation to huge pages; see `move_to_huge_pages`.

    A thread of its own does so: it takes about a second for BioGPT's size, in which passes are slower.
    """

    def __init__(self) -> None:
        self._before = anonymous_memory()
        self._stop = Event()

    def begin(self) -> None:
        """Begins to move what was taken, after `DELAY_SECONDS`; where no thread can be had, all stays as it is."""
        with contextlib.suppress(RuntimeError, MemoryError):
            Thread(target=self._move, name=_THREAD_NAME, daemon=True).start()

    def stop(self) -> None:
        """Ends it, as the memory is freed."""
        self._stop.set()

    def _move(self) -> None:
        if not self._stop.wait(DELAY_SECONDS):
            move_to_huge_pages(self._before, self._stop)


def wait_for_moves() -> None:
    """Waits until no weights of this process are being moved to huge pages, as one who measures passes should."""
    for thread in threading.enumerate():
        if thread.name == _THREAD_NAME:
            thread.join()
