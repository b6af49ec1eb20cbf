"""The user's cache folder, for files that can be made again, and the lock by which processes share it."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.system.access import current_user, has_modes, system_cache_folder
from biogpt_onnx.runtime.system.files import reason_of, rename, scratch_folder
from biogpt_onnx.runtime.system.locks import lock, open_to_lock

ENVIRONMENT_VARIABLE = "BIOGPT_ONNX_CACHE"
INSTEAD = f"choose another folder (cache_folder or {ENVIRONMENT_VARIABLE}), or load with share_weights=False"
"""Remedy for a folder that cannot be used, which ends the errors about it."""

_NAME = "biogpt-onnx"
_LOCK_FILE = ".lock"
_UNFINISHED = ".unfinished-"
_SUPERUSER = 0


def default_cache_folder() -> Path:
    """Returns `$BIOGPT_ONNX_CACHE`, or else this package's folder where the system keeps caches.

    Raises:
        ConfigError: the user has no home folder.
    """
    if configured := os.environ.get(ENVIRONMENT_VARIABLE):
        return Path(configured).expanduser()
    try:
        return _cache_folder() / _NAME
    except RuntimeError as error:
        raise ConfigError(f"there is no home folder to keep a cache in: {INSTEAD}") from error


def open_cache_folder(folder: Path) -> Path:
    """Returns the folder, without links in its path; makes it for its user alone if it does not exist.

    Raises:
        ConfigError: the folder cannot be made, or others may write to it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = folder.resolve(strict=True)
        refuse_foreign(folder)
    except OSError as error:
        raise unusable(folder, error) from error
    return folder


def refuse_foreign(path: Path) -> None:
    """Refuses a file or folder that other users could have made or altered.

    One that belongs to root is accepted: an image or a shared machine may come with it, and root can alter everything
    anyway.

    Raises:
        ConfigError: the path belongs to another user, or its group or others may write to it.
        OSError: the path does not exist.
    """
    if not has_modes():
        return
    status = path.stat(follow_symlinks=False)
    if status.st_uid not in {current_user(), _SUPERUSER}:
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
    """Waits until no other process writes to the folder, and removes the remains of writers that were killed.

    Without locks in the file system or the operating system, several may write at once; then nothing is removed,
    because another process might still be writing it.
    """
    descriptor = open_to_lock(folder / _LOCK_FILE, 0o600)
    try:
        if lock(descriptor, wait=True):
            for path in folder.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(path, ignore_errors=True)
        yield
    finally:
        # This also releases the lock; if the process is killed, the system does.
        os.close(descriptor)


def unfinished_folder(folder: Path) -> AbstractContextManager[Path]:
    """Yields a new folder inside a folder, which is removed at the end of the block unless it has been renamed."""
    return scratch_folder(_UNFINISHED, folder)


def remove_folder(path: Path) -> None:
    """Removes a folder in one step, so that no process sees a part of it."""
    with unfinished_folder(path.parent) as aside:
        rename(path, aside / path.name)


def unusable(folder: Path, error: OSError) -> ConfigError:
    """Returns the error for a cache folder that cannot be used."""
    return ConfigError(f"the cache folder {folder} cannot be used ({reason_of(error)}): {INSTEAD}")


def _cache_folder() -> Path:
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says that relative paths are to be ignored.
    if Path(xdg).is_absolute():
        return Path(xdg)
    return system_cache_folder()
