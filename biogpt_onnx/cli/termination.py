"""Signals that ask the process to end, as an exception, so that unfinished files are removed as after Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from biogpt_onnx.runtime.system.signals import ending_signals

_requested: list[int] = []


class Terminated(BaseException):
    """The process was asked to end. Like KeyboardInterrupt it is no error that a library may handle.

    Attributes:
        signal_number: The signal.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


@contextmanager
def terminable() -> Iterator[None]:
    """Raises `Terminated` in the block when the process is asked to end, and KeyboardInterrupt at Ctrl-C.

    An error in the block after that becomes `Terminated` too: libraries turn either into errors of their own, as when
    ONNX Runtime is interrupted while it is imported. Outside the main thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _requested.clear()
    # A process under nohup ignores the hang-up of its terminal, and continues to do so.
    heeded = [number for number in ending_signals() if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, _terminate) for number in heeded}
    try:
        yield
        check()
    except Exception:
        check()
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def check() -> None:
    """Raises `Terminated` if the process was asked to end: C libraries have been seen to swallow the first raise."""
    if _requested:
        raise Terminated(_requested[0])


def _terminate(signal_number: int, _frame: object) -> NoReturn:
    _requested.append(signal_number)
    raise KeyboardInterrupt if signal_number == signal.SIGINT else Terminated(signal_number)
