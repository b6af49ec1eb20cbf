"""What native code writes to the standard error stream, held back while a library is loaded.

On ARM64, ONNX Runtime looks at the processor as soon as its library is loaded, before it has a log whose level could be
set. Of one that it does not know, it writes lines that no user can do anything about: on many boards and in virtual
machines, at every start.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import IO

_STDERR = 2
_UNWANTED = (b"onnxruntime cpuid_info warning: ", b"Error in cpuinfo: ", b"Warning in cpuinfo: ")


@contextlib.contextmanager
def without_lines_about_processor() -> Iterator[None]:
    """Drops the lines on the processor that native code writes to standard error until the block ends.

    All other lines are written when the block ends, or an error leaves it. What Python writes in this thread meanwhile
    keeps its place among them, because it is flushed before and after. If standard error is closed, nothing is done.
    """
    with contextlib.ExitStack() as stack:
        try:
            held = stack.enter_context(_memory_file())
            original = os.dup(_STDERR)
        except OSError:
            # Neither a closed stream nor a full disk should keep the library from being loaded.
            yield
            return
        stack.callback(os.close, original)
        _flush()
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        finally:
            _flush()
            os.dup2(original, _STDERR)
            held.seek(0)
            _write(b"".join(line for line in held if not line.startswith(_UNWANTED)))


def _memory_file() -> IO[bytes]:
    """Returns a file without a name, in memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "r+b", buffering=0)
    import tempfile  # noqa: PLC0415 -- slow to import

    return tempfile.TemporaryFile(buffering=0)


def _flush() -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def _write(text: bytes) -> None:
    with contextlib.suppress(OSError):
        while text:
            text = text[os.write(_STDERR, text) :]
