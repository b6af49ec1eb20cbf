"""A user's own files: where the system keeps caches, and whether owners and modes say who may use a file."""

import os
from pathlib import Path

from biogpt_onnx.runtime.system import kind


def has_modes() -> bool:
    """Returns True where a file's owner and mode say who may use it.

    On Windows access lists do, which are not read: a folder of the user's profile is closed to other users unless they
    were let in.
    """
    return not kind.is_windows() and hasattr(os, "geteuid")


def current_user() -> int:
    """Returns the number of the user as whom this process acts; only where files have modes."""
    return os.geteuid()


def system_cache_folder() -> Path:
    """Returns the folder in which the system keeps what a user's programs can make again.

    Raises:
        RuntimeError: the user has no home folder.
    """
    if kind.is_windows():
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if kind.is_macos():
        return Path.home() / "Library" / "Caches"
    return Path.home() / ".cache"
