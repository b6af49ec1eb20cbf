"""The folder in which a run builds its output, and the removal of those that killed runs have left.

A lock on the folder shows that its run is alive. The system releases it when the process ends, however it ends.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.runtime.bundle.target import UNFINISHED, content
from biogpt_onnx.runtime.system.files import rename
from biogpt_onnx.runtime.system.locks import FolderLock

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
    lock = None
    try:
        folder.mkdir(parents=True)
        lock = FolderLock.take(folder)
        workspace = Workspace(folder, target)
        workspace.new.mkdir()
        yield workspace
    finally:
        _clear(folder, target, lock)
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
        lock = FolderLock.take(folder)
        if lock is not None:  # or its run is alive, or there are no locks here
            _clear(folder, target, lock)


def _clear(folder: Path, target: Path, lock: FolderLock | None) -> None:
    """Removes a workspace and releases its lock, once the folder that was moved aside is back or replaced."""
    if not _is_restored(folder / _OLD, target):
        # Nothing else has what is in it: the next run to this target tries to put it back.
        if lock is not None:
            lock.release()
    elif lock is not None:
        lock.remove_folder()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _is_restored(old: Path, target: Path) -> bool:
    """Puts a folder back that was moved aside when nothing has taken its place; returns False if that failed."""
    if old.exists() and not target.exists():
        try:
            rename(old, target)
        except OSError:
            return False
    return True
