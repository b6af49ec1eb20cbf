"""Locks of files and folders, which the system releases however a process ends.

POSIX systems lock what is open, a folder too, by `flock`. Windows locks bytes of files, by `LockFileEx`, and keeps
others from reading them: so the byte lies far behind the end of any file, and a folder is locked by a file in it.
"""

import ctypes
import errno
import importlib
import os
import shutil
import time
from pathlib import Path
from typing import Any, Self

from biogpt_onnx.runtime.system import kind

_LOCK_FILE = ".lock"
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_POLL_SECONDS = 0.1

# What Windows calls LOCKFILE_EXCLUSIVE_LOCK and LOCKFILE_FAIL_IMMEDIATELY, and its error ERROR_LOCK_VIOLATION.
_EXCLUSIVE, _AT_ONCE, _LOCKED_ALREADY = 0x2, 0x1, 33
_PLACE_HIGH = 0x4000_0000


class _Overlapped(ctypes.Structure):
    """The structure OVERLAPPED of Windows, which says where the locked byte lies."""

    _fields_ = (
        ("internal", ctypes.c_void_p),
        ("internal_high", ctypes.c_void_p),
        ("offset", ctypes.c_uint32),
        ("offset_high", ctypes.c_uint32),
        ("event", ctypes.c_void_p),
    )


def open_to_lock(path: Path, mode: int = 0o666) -> int:
    """Opens a file to be locked, and creates it if it does not exist; returns its descriptor.

    Args:
        path: file, which may not be a link.
        mode: permissions of a new file, on systems that have them.

    Raises:
        OSError: it cannot be opened.
    """
    if kind.is_windows() and path.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return os.open(path, _FLAGS, mode)


def lock(descriptor: int, *, wait: bool = False) -> bool | None:
    """Locks what is open for this process alone, until the descriptor is closed.

    Args:
        descriptor: descriptor of a file that is open for writing, or of a folder.
        wait: True to wait until no other process has the lock.

    Returns:
        True if it is locked; False if another process has locked it; None where the system or the file system has no
        locks.
    """
    if not kind.is_windows():
        return _flock(descriptor, wait=wait)
    found = _lock_on_windows(descriptor)
    while wait and found is False:
        # Nothing would interrupt a wait in Windows itself, Ctrl-C neither.
        time.sleep(_POLL_SECONDS)
        found = _lock_on_windows(descriptor)
    return found


class FolderLock:
    """The lock of a folder, which shows other processes that this one works in it; made by `FolderLock.take`."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        self._folder, self._descriptor = folder, descriptor

    @classmethod
    def take(cls, folder: Path) -> Self | None:
        """Locks a folder; returns None if another process has locked it, or it cannot be locked."""
        try:
            descriptor = _open_folder(folder)
        except OSError:
            return None
        if not lock(descriptor):
            os.close(descriptor)
            return None
        return cls(folder, descriptor)

    def remove_folder(self) -> None:
        """Removes the folder, as far as that can be done, and releases the lock."""
        # Windows removes no file that is open. Two processes that remove one folder do no harm.
        if kind.is_windows():
            os.close(self._descriptor)
            shutil.rmtree(self._folder, ignore_errors=True)
        else:
            shutil.rmtree(self._folder, ignore_errors=True)
            os.close(self._descriptor)

    def release(self) -> None:
        """Releases the lock; the folder stays."""
        os.close(self._descriptor)


def _open_folder(folder: Path) -> int:
    if kind.is_windows():
        if folder.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder))
        return open_to_lock(folder / _LOCK_FILE)
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _flock(descriptor: int, *, wait: bool) -> bool | None:
    try:
        fcntl: Any = importlib.import_module("fcntl")
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except (OSError, ImportError):
        return None
    return True


def _lock_on_windows(descriptor: int) -> bool | None:
    try:
        handle = importlib.import_module("msvcrt").get_osfhandle(descriptor)
    except (OSError, ImportError):
        return None
    function = _windows_library().LockFileEx
    function.argtypes = [ctypes.c_void_p, *[ctypes.c_uint32] * 4, ctypes.POINTER(_Overlapped)]
    function.restype = ctypes.c_int
    place = _Overlapped(offset_high=_PLACE_HIGH)
    if function(handle, _EXCLUSIVE | _AT_ONCE, 0, 1, 0, ctypes.byref(place)):
        return True
    return False if _last_error() == _LOCKED_ALREADY else None


def _windows_library() -> Any:  # noqa: ANN401 -- a library of C has no types
    return vars(ctypes)["WinDLL"]("kernel32", use_last_error=True)


def _last_error() -> int:
    return int(vars(ctypes)["get_last_error"]())
