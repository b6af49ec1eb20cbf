"""Files that take the place of others, and the wait until they are on the disk.

Windows renames and removes no file that a program has open or mapped, and no folder with one in it. Virus scanners and
indexers open what is new for moments, so a refusal is tried again for about two seconds there.
"""

import contextlib
import errno
import importlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.system import kind

_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_IN_USE = "a program has it open, or it may not be written to: close it there, or end the model that is loaded from it"
# What file systems without hard links answer; some network file systems answer the last two.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)
# Windows' ERROR_INVALID_FUNCTION and ERROR_NOT_SUPPORTED.
_NO_LINKS_ON_WINDOWS = (1, 50)
_MOST_CHARACTERS = 259


def replace_file(source: Path, target: Path) -> None:
    """Gives a file the name of another, which it replaces in one step.

    Raises:
        OSError: it cannot be renamed; `strerror` says so if a program has one of the two open.
    """
    _patiently(lambda: source.replace(target))


def rename(source: Path, target: Path) -> None:
    """Gives a file or folder a name that is free.

    Raises:
        OSError: it cannot be renamed; `strerror` says so if a program has a file of it open.
    """
    _patiently(lambda: source.rename(target))


def remove_file(path: Path) -> None:
    """Removes a file if it is there.

    Raises:
        OSError: it cannot be removed; `strerror` says so if a program has it open.
    """
    _patiently(lambda: path.unlink(missing_ok=True))


def can_remove_open_files() -> bool:
    """Returns True where a file can be removed while it is open, as everywhere but on Windows."""
    return not kind.is_windows()


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Yields a new folder that is removed at the end of the block, as far as no program has its files open.

    Args:
        prefix: beginning of the folder's name.
        parent: folder in which it is made; None for the system's folder of temporary files.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refuses_hard_links(error: OSError) -> bool:
    """Returns True if an error of `os.link` says that the file system has no hard links."""
    return error.errno in _NO_LINKS or getattr(error, "winerror", None) in _NO_LINKS_ON_WINDOWS


def flush(descriptor: int) -> None:
    """Waits until what was written to a file is on the disk.

    Raises:
        OSError: it cannot be written after all.
    """
    if kind.is_macos():
        # There `fsync` waits only until the disk has it in a memory of its own.
        with contextlib.suppress(OSError, ImportError, AttributeError):
            fcntl: Any = importlib.import_module("fcntl")
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def flush_folder(folder: Path) -> None:
    """Waits until the folder and the files in it are on the disk.

    Raises:
        OSError: the files cannot be written after all.
    """
    for path in folder.iterdir():
        if path.is_file():
            with path.open("rb+") as file:
                flush(file.fileno())
    flush_names(folder)


def flush_names(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, if the system supports it; Windows does not."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def reason_of(error: OSError) -> str:
    """Returns why the system refused something with a file; names a path that is too long for Windows."""
    reason = error.strerror or str(error)
    paths = [Path(path).absolute() for path in (error.filename, error.filename2) if isinstance(path, str)]
    longest = max((len(str(path)) for path in paths), default=0)
    if kind.is_windows() and longest > _MOST_CHARACTERS:
        return f"{reason}; its path has {longest} characters, of which Windows takes {_MOST_CHARACTERS} by default"
    return reason


def _patiently(action: Callable[[], object]) -> None:
    """Does something that Windows may refuse for a moment."""
    for pause in _PAUSES if kind.is_windows() else ():
        try:
            action()
        except PermissionError:
            time.sleep(pause)
        else:
            return
    try:
        action()
    except PermissionError as error:
        if not kind.is_windows():
            raise
        raise PermissionError(error.errno, _IN_USE, error.filename, None, error.filename2) from error
