"""A request to end, as an exception: what is half-written is then cleaned up, as after Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

# The request to end, and the end of the terminal, which Windows does not know.
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

_requested: list[int] = []


class Terminated(BaseException):
    """Somebody asked the process to end. Like KeyboardInterrupt it is no error that a library may handle.

    Attributes:
        signal_number: how it was asked.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


@contextmanager
def terminable() -> Iterator[None]:
    """Raises `Terminated` in the block when the process is asked to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _requested.clear()
    # A process under nohup was told to ignore the end of its terminal, and goes on doing so.
    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, _terminate) for number in heeded}
    try:
        yield
        check()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def check() -> None:
    """Raises `Terminated` if the process was asked to end: libraries in C have been seen to swallow the first one."""
    if _requested:
        raise Terminated(_requested[0])


def _terminate(signal_number: int, _frame: object) -> NoReturn:
    _requested.append(signal_number)
    raise Terminated(signal_number)
