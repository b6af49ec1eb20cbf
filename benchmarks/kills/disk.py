"""A small disk of this program's own: a tmpfs in a mount namespace, which can be filled and made read-only."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
_MARK = "BIOGPT_ONNX_KILLS_NAMESPACE"
_FILLER = ".filler"


def enter_namespace(module: str) -> None:
    """Starts this program again in a mount namespace of its own, where the system lets users make one.

    Args:
        module: the program's module, which is started with the same arguments.
    """
    if _MARK in os.environ or shutil.which("unshare") is None:
        return
    if subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode:
        return
    os.environ[_MARK] = "1"
    program = [*_NAMESPACE, sys.executable, "-m", module, *sys.argv[1:]]
    os.execvp(program[0], program)  # noqa: S606 -- no shell reads it


class Disk:
    """A disk on which commands work.

    Attributes:
        folder: its place.
        is_own: True if it is a tmpfs that can be filled and made read-only; False for a folder like any other.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self.is_own = _MARK in os.environ
        if self.is_own:
            self._mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs")

    @property
    def free(self) -> int:
        """Bytes that are free."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    @contextmanager
    def filled(self, leave: int) -> Iterator[None]:
        """Fills the disk but for so many bytes while the block runs."""
        filler = self.folder / _FILLER
        with filler.open("wb") as stream:
            if (size := self.free - leave) > 0:
                os.posix_fallocate(stream.fileno(), 0, size)
        try:
            yield
        finally:
            filler.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Lets nothing be written while the block runs."""
        self._mount("-o", "remount,ro")
        try:
            yield
        finally:
            self._mount("-o", "remount,rw")

    def close(self) -> None:
        """Takes the disk away."""
        if self.is_own:
            subprocess.run([shutil.which("umount") or "umount", str(self.folder)], check=True)

    def _mount(self, *words: str) -> None:
        subprocess.run([shutil.which("mount") or "mount", *words, str(self.folder)], check=True)
