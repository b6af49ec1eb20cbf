"""Folders of Linux's control groups that limit this process, of version 1, version 2 and systems that have both."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_GROUPS = "proc/self/cgroup"
MOUNT = "sys/fs/cgroup"
"""Folder in which systems mount their control groups."""


def group_folders(root: Path, controller: str) -> Iterator[Path]:
    """Yields the folder of each control group that may limit this process: its own, and those that this one is in.

    Not every folder exists: a container may see the path that its group has outside, but its own group's files at the
    top.

    Args:
        root: folder in which the system's files lie.
        controller: what is limited, such as "cpu" or "memory".
    """
    try:
        lines = (root / _GROUPS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        mounts = list(dict.fromkeys([controller, controllers])) if controllers else [".", "unified"]
        parts = [part for part in PurePosixPath(path).parts if part not in {"/", ".."}]
        for mount in mounts:
            for depth in range(len(parts), -1, -1):
                yield root / MOUNT / mount / Path(*parts[:depth])
