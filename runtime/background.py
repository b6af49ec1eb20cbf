"""Threads for work in the background, for which nobody waits."""

from _thread import start_new_thread
from collections.abc import Callable


def start_in_background(function: Callable[..., object], *arguments: object) -> None:
    """Calls a function in a thread that does not keep the process from ending.

    `threading.Thread.start` waits for the thread to begin, forever for one that ends before it does, as a thread may
    where memory is short. This does not wait; the function may then never be called.

    Raises:
        MemoryError: no thread can be had.
    """
    try:
        start_new_thread(function, arguments)
    except RuntimeError as error:
        raise MemoryError("no further thread can be had: give more memory, or run fewer processes") from error
