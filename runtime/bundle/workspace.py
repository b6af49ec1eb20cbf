"""The folder in which a run builds its output, and the removal of those that killed runs have left.

A lock on the folder shows that its run is alive. The system releases it when the process ends, however it ends.
"""

import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.runtime.bundle.target import UNFINISHED, content

if sys.platform != "win32":
    import fcntl

_DIGITS = 16
_NEW, _OLD = "new", "old"


@dataclass(frozen=True)
class Workspace:
    """A folder for a run's output before it is at its place.

    Attributes:
        folder: the folder, which lies on the same file system as the output.
        target: place of the output.
    """

    folder: Path
    target: Path

    @property
    def new(self) -> Path:
        """Folder in which the output is built."""
        return self.folder / _NEW

    @property
    def old(self) -> Path:
        """Place of a folder that is being replaced."""
        return self.folder / _OLD


@contextmanager
def open_workspace(target: Path) -> Iterator[Workspace]:
    """Yields a workspace for a target and removes it at the end, and before that those of runs that were killed.

    A target that exists and is empty gets its workspace inside, because it may be a mount point or the current folder,
    or its parent may not be writable.

    Args:
        target: absolute path of the output. Its missing parents are made, and removed again if it does not appear.

    Raises:
        OSError: no folder can be made there.
    """
    _remove_unfinished(target)
    beside = f".{target.name}{UNFINISHED}"
    prefix = target / UNFINISHED if target.is_dir() and not content(target) else target.with_name(beside)
    # The name is fixed before the folder is made, so that the folder is removed whenever a signal arrives.
    folder = prefix.with_name(prefix.name + secrets.token_hex(_DIGITS // 2))
    made = [parent for parent in target.parents if not parent.exists()]
    descriptor = None
    try:
        folder.mkdir(parents=True)
        descriptor = _lock(folder)
        workspace = Workspace(folder, target)
        workspace.new.mkdir()
        yield workspace
    finally:
        _restore(folder, target)
        shutil.rmtree(folder, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)
        for parent in made:
            # Only empty folders can be removed so.
            with contextlib.suppress(OSError):
                parent.rmdir()


def unfinished_folders(target: Path) -> list[Path]:
    """Returns the workspaces for a target, of runs that are alive or were killed."""
    places = [(target.parent, f".{target.name}{UNFINISHED}"), (target, UNFINISHED)]
    found = []
    for parent, prefix in places:
        try:
            names = os.listdir(parent)  # noqa: PTH208 -- names alone
        except OSError:
            continue
        found += [parent / name for name in names if name.startswith(prefix) and len(name) == len(prefix) + _DIGITS]
    return sorted(found)


def _remove_unfinished(target: Path) -> None:
    for folder in unfinished_folders(target):
        descriptor = _lock(folder)
        if descriptor is None:
            continue  # its run is alive, or there are no locks here
        try:
            _restore(folder, target)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


def _restore(folder: Path, target: Path) -> None:
    """Puts a folder back that was moved aside when nothing has taken its place."""
    old = folder / _OLD
    if old.exists() and not target.exists():
        with contextlib.suppress(OSError):
            old.rename(target)


def _lock(folder: Path) -> int | None:
    """Locks a folder and returns its descriptor, by which the lock is held; None if it is locked or has no locks."""
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
