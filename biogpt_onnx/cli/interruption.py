"""The note that an interrupted command leaves: what is done, and how to go on."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from biogpt_onnx.cli.termination import Terminated


@contextmanager
def noting_interruption(note: Callable[[], str | None]) -> Iterator[None]:
    """Prints a note on standard error if Ctrl-C or a signal ends the block, which then goes on ending.

    Args:
        note: Returns the note when the block has been interrupted; None for none.
    """
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        text = note()
        if text is not None:
            with suppress(OSError):
                print(f"note: {text}", file=sys.stderr, flush=True)
        raise
