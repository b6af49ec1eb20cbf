"""The lock of a journal, which keeps other processes from writing the same output."""

import os
from pathlib import Path

from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.runtime.system.files import reason_of
from biogpt_onnx.runtime.system.locks import lock, open_to_lock


def open_locked(path: Path, output: Path) -> int:
    """Opens a journal for this process alone, and creates it if it does not exist.

    The operating system releases the lock when the descriptor is closed and when the process dies. On file systems
    without locks there is none.

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
            descriptor = open_to_lock(path)
        except OSError as error:
            raise DocumentError(f"{path} cannot be written ({reason_of(error)}): name another output") from error
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
    if lock(descriptor) is False:
        raise DocumentError(f"another process is writing {output}: wait for it, or name another output")


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
