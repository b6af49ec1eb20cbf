"""Control groups of Linux with a limit of memory, made below this process's own group and removed afterwards."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.runtime.system.control_groups import group_folders

_ROOT = Path("/")
_ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.1


class NoControlGroupError(Exception):
    """No control group can be made here; says why in one line."""


@dataclass(frozen=True)
class ControlGroup:
    """A control group with a limit of memory and without swap.

    Attributes:
        folder: its folder, in which the system's files lie.
        version: 1 or 2.
    """

    folder: Path
    version: int

    def command(self, command: Sequence[str]) -> list[str]:
        """Returns the command that runs another one in the group, as the same process."""
        return ["/bin/sh", "-c", _ENTER, str(self.folder), *command]

    @property
    def peak_bytes(self) -> int:
        """The most memory that the group has had, with the cache of the files that it read."""
        name = "memory.peak" if self.version == 2 else "memory.max_usage_in_bytes"  # noqa: PLR2004 -- a version
        return int((self.folder / name).read_text(encoding="ascii"))

    @property
    def kills(self) -> int:
        """The number of processes that the system has killed for want of memory."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"  # noqa: PLR2004 -- a version
        fields = dict(line.split() for line in (self.folder / name).read_text(encoding="ascii").splitlines())
        return int(fields["oom_kill"])


@contextlib.contextmanager
def limited_memory(limit: int) -> Iterator[ControlGroup]:
    """Makes a control group for the block.

    Args:
        limit: most memory of its processes, in bytes.

    Raises:
        NoControlGroupError: this user may not make one, or the system has none.
    """
    parent, version = _parent()
    folder = parent / f"biogpt-onnx-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        raise NoControlGroupError(f"{folder} cannot be made ({error.strerror}): control groups need root") from error
    try:
        _limit(folder, version, limit)
        yield ControlGroup(folder, version)
    finally:
        _remove(folder)


def _parent() -> tuple[Path, int]:
    """Returns the folder of this process's own group that limits memory, and its version."""
    for folder in group_folders(_ROOT, "memory"):
        if (folder / "memory.limit_in_bytes").is_file():
            return folder, 1
        if (folder / "cgroup.controllers").is_file():
            words = (folder / "cgroup.controllers").read_text(encoding="ascii").split()
            if "memory" in words:
                return folder, 2
    raise NoControlGroupError("no control group of this process limits memory")


def _limit(folder: Path, version: int, limit: int) -> None:
    try:
        if version == 1:
            (folder / "memory.limit_in_bytes").write_text(str(limit), encoding="ascii")
            for name, value in (("memory.swappiness", 0), ("memory.memsw.limit_in_bytes", limit)):
                with contextlib.suppress(OSError):  # a system without swap accounting
                    (folder / name).write_text(str(value), encoding="ascii")
            return
        if not (folder / "memory.max").exists():
            (folder.parent / "cgroup.subtree_control").write_text("+memory", encoding="ascii")
        (folder / "memory.max").write_text(str(limit), encoding="ascii")
        with contextlib.suppress(OSError):
            (folder / "memory.swap.max").write_text("0", encoding="ascii")
    except OSError as error:
        raise NoControlGroupError(f"{folder} cannot be limited ({error.strerror})") from error


def _remove(folder: Path) -> None:
    # A process that has just ended may be counted for a moment.
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return
