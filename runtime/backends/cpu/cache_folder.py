"""The folder in which this user keeps what can be made again, and how processes share it."""

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from biogpt_onnx.runtime.errors import ConfigError

if sys.platform != "win32":
    import fcntl

ENVIRONMENT_VARIABLE = "BIOGPT_ONNX_CACHE"
INSTEAD = f"choose another folder (cache_folder or {ENVIRONMENT_VARIABLE}), or load with share_weights=False"
"""What to do where the folder cannot be used; ends the errors that say so."""

_NAME = "biogpt-onnx"
_LOCK_FILE = ".lock"
_UNFINISHED = ".unfinished-"
_SUPERUSER = 0


def default_cache_folder() -> Path:
    """`$BIOGPT_ONNX_CACHE`, or a folder of ours where the system keeps caches.

    Raises:
        ConfigError: the user has no home folder.
    """
    if chosen := os.environ.get(ENVIRONMENT_VARIABLE):
        return Path(chosen).expanduser()
    try:
        return _system_cache_folder() / _NAME
    except RuntimeError as error:
        raise ConfigError(f"there is no home folder to keep a cache in: {INSTEAD}") from error


def open_cache_folder(folder: Path) -> Path:
    """The folder, without links in its path; made for its user alone if it is not there.

    Raises:
        ConfigError: it cannot be made, or others may write to it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = folder.resolve(strict=True)
        refuse_foreign(folder)
    except OSError as error:
        raise unusable(folder, error) from error
    return folder


def refuse_foreign(path: Path) -> None:
    """Refuses what others could have put there or altered.

    What root owns is taken: an image or a shared machine may bring it, and root can alter everything anyway.

    Raises:
        ConfigError: it belongs to another user, or its group or others may write to it.
        OSError: there is nothing there.
    """
    if sys.platform == "win32":
        return
    status = path.stat(follow_symlinks=False)
    if status.st_uid not in {os.geteuid(), _SUPERUSER}:
        raise ConfigError(
            f"{path} belongs to another user (number {status.st_uid}) and is not read, for what is in it runs as a "
            f"model: {INSTEAD}"
        )
    if not stat.S_ISLNK(status.st_mode) and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(
            f"{path} can be written by other users (mode {stat.S_IMODE(status.st_mode):04o}) and is not read, for what "
            f"is in it runs as a model: `chmod go-w` it if you know what is there, or delete it; or {INSTEAD}"
        )


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Waits until no other process writes to the folder, and clears what writers left that were killed.

    Where the file system or the system has no locks, several may write at once; then nothing is cleared, because it
    might be in the making.
    """
    descriptor = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        if _lock(descriptor):
            for path in folder.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(path, ignore_errors=True)
        yield
    finally:
        # The system lifts the lock with it, and if the process is killed.
        os.close(descriptor)


@contextmanager
def unfinished_folder(folder: Path) -> Iterator[Path]:
    """A folder in it to build something in, which vanishes at the end of the block unless it has been renamed."""
    building = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder))
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Takes a folder away at once, so that nobody sees a part of it."""
    with unfinished_folder(path.parent) as aside:
        path.rename(aside / path.name)


def flush_folder(folder: Path) -> None:
    """Waits until the folder and the files in it are on the disk.

    Raises:
        OSError: they cannot be written after all.
    """
    for path in folder.iterdir():
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
    flush_names(folder)


def flush_names(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where the system can be asked for it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def unusable(folder: Path, error: OSError) -> ConfigError:
    """The error that says that the cache folder cannot be used."""
    return ConfigError(f"the cache folder {folder} cannot be used ({error.strerror or error}): {INSTEAD}")


def _system_cache_folder() -> Path:
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    # Its specification has relative paths ignored.
    if Path(xdg).is_absolute():
        return Path(xdg)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path.home() / ".cache"


def _lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return False
    return True
