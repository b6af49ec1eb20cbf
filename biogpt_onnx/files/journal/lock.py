"""The lock of a journal, which keeps other processes from writing the same output."""

import os
import sys
from pathlib import Path

from biogpt_onnx.runtime.errors import DocumentError

if sys.platform != "win32":
    import fcntl

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


def open_locked(path: Path, output: Path) -> int:
    """Opens a journal for this process alone, and creates it if it does not exist.

    The operating system releases the lock when the descriptor is closed and when the process dies. On Windows, and on
    file systems without locks, there is none.

    Args:
        path: The journal.
        output: The output that the journal belongs to.

    Returns:
        The file's descriptor.

    Raises:
        DocumentError: Another process has the journal open, or it cannot be opened.
    """
    while True:
        try:
            descriptor = os.open(path, _FLAGS, 0o666)
        except OSError as error:
            raise DocumentError(f"{path} cannot be written ({error.strerror or error}): name another output") from error
        try:
            _lock(descriptor, output)
            if _is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        # Another process has finished and removed it between the two calls: this one needs a new file.
        os.close(descriptor)


def _lock(descriptor: int, output: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DocumentError(f"another process is writing {output}: wait for it, or name another output") from error
    except OSError:
        return


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
