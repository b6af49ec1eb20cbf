"""The note that an interrupted command leaves: what is done, and how to go on."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from biogpt_onnx.cli.termination import Terminated, check


@contextmanager
def noting_interruption(note: Callable[[], str | None]) -> Iterator[None]:
    """Prints a note on standard error if Ctrl-C or a signal ends the block, which then goes on ending.

    Args:
        note: Returns the note when the block has been interrupted; None for none.
    """
    try:
        with _as_termination():
            yield
    except (KeyboardInterrupt, Terminated):
        text = note()
        if text is not None:
            with suppress(OSError):
                print(f"note: {text}", file=sys.stderr, flush=True)
        raise


@contextmanager
def _as_termination() -> Iterator[None]:
    """Has an error that a library made of the interruption count as one."""
    try:
        yield
    except Exception:
        check()
        raise
