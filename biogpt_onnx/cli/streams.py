"""Standard streams of a command: UTF-8 whatever the locale, and an error in one line where they are closed."""

import errno
import io
import os
import sys

from biogpt_onnx.runtime.system.streams import write_as_utf8

_INPUT_IS_CLOSED = "standard input is closed: name a file, or give the text as an argument"
_OUTPUT_IS_CLOSED = "standard output is closed: give the command one"


def prepare_standard_streams() -> None:
    """Makes the standard streams usable; Python has None in the place of one that was closed before it started."""
    for descriptor in range(3):
        _hold(descriptor)
    if sys.stdin is None:
        sys.stdin = _ClosedInput()
    if sys.stdout is None:
        sys.stdout = _ClosedOutput()
    if sys.stderr is None:
        # Without it, `print(..., file=None)` would write errors to standard output.
        sys.stderr = open(os.devnull, "w", encoding="utf-8", newline="\n")  # noqa: PTH123, SIM115 -- open until the process ends
    write_as_utf8(sys.stdout)
    write_as_utf8(sys.stderr)


def _hold(descriptor: int) -> None:
    """Opens the null device where a standard descriptor is closed, as the next file would take its number."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDWR)


class _ClosedBytes(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: object) -> int:
        raise OSError(errno.EBADF, _INPUT_IS_CLOSED)


class _ClosedInput(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BufferedReader(_ClosedBytes()), encoding="utf-8")


class _ClosedOutput(io.TextIOBase):
    def write(self, _text: str) -> int:
        raise OSError(errno.EBADF, _OUTPUT_IS_CLOSED)
