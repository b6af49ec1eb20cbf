"""The move of a session's weights to huge pages, beside the first passes."""

from threading import Event, Thread

from biogpt_onnx.runtime.system.weight_pages import anonymous_memory, move_to_huge_pages


class HugePages:
    """Moves the memory that is taken between its creation and `begin` to huge pages; see `move_to_huge_pages`.

    A thread of its own does so: it takes about a second for BioGPT's size, and whoever loads a model for a short answer
    should not wait for it.
    """

    def __init__(self) -> None:
        self._before = anonymous_memory()
        self._stop = Event()

    def begin(self) -> None:
        """Begins to move what was taken."""
        Thread(
            target=move_to_huge_pages, args=(self._before, self._stop), name="biogpt-huge-pages", daemon=True
        ).start()

    def stop(self) -> None:
        """Ends it, as the memory is freed."""
        self._stop.set()
