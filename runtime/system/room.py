"""Room: the memory that this process can still take, by the limits of its control groups and by the machine's."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from biogpt_onnx.runtime.system.control_groups import MOUNT, group_folders
from biogpt_onnx.runtime.system.kind import is_linux

_ROOT = Path("/")
_NO_LIMIT = 2**60
"""Limits from here on stand for none: version 1 writes the largest number of pages."""


@dataclass(frozen=True)
class Room:
    """The memory that a process can still take.

    Attributes:
        free: bytes, those counted that the system can take back from its cache of files.
        with_swap: bytes with what can be swapped out; at least `free`.
        bound: what sets the bound, in words, such as "the control group's limit of 512 MiB".
        slows: bytes from which on the system slows the process down (`memory.high`); None without such a bound.
    """

    free: int
    with_swap: int
    bound: str
    slows: int | None = None


class _Names(NamedTuple):
    """Names of the files that tell of a control group's memory.

    Attributes:
        limit: the most memory.
        used: the memory that is used.
        cached: lines of `memory.stat` that count the cache of files.
        swap_limit: the most swap; in version 1 the most memory and swap together.
        swap_used: what is used of that.
    """

    limit: str
    used: str
    cached: tuple[str, ...]
    swap_limit: str
    swap_used: str


_VERSION_2 = _Names(
    "memory.max", "memory.current", ("active_file", "inactive_file"), "memory.swap.max", "memory.swap.current"
)
_VERSION_1 = _Names(
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_active_file", "total_inactive_file"),
    "memory.memsw.limit_in_bytes",
    "memory.memsw.usage_in_bytes",
)


def read_room(root: Path = _ROOT) -> Room | None:
    """Reads the memory that this process can still take.

    It is the least of what the machine has free and what the process's control groups leave, of which each is in
    another: `memory.max` and `memory.high` of version 2, `memory.limit_in_bytes` of version 1.

    Args:
        root: folder in which the system's files lie.

    Returns:
        The room; None where nothing tells of it, as on other systems than Linux.
    """
    if root == _ROOT and not is_linux():
        return None
    machine = _machine(root)
    swap = 0 if machine is None else machine.with_swap - machine.free
    folders = list(dict.fromkeys(group_folders(root, "memory"))) or [root / MOUNT, root / MOUNT / "memory"]
    rooms = [room for folder in folders if (room := _of_group(folder, swap)) is not None]
    slows = [size for folder in folders if (size := _until_slowed(folder)) is not None]
    if machine is not None:
        rooms.append(machine)
    if not rooms:
        return None
    least = min(rooms, key=lambda room: room.with_swap)
    free = min(room.free for room in rooms)
    return Room(free, max(free, least.with_swap), least.bound, min(slows, default=None))


def mebibytes(size: float) -> str:
    """Returns a number of bytes in words, such as "512 MiB", the unit in which limits are given."""
    return f"{size / 2**20:,.0f} MiB"


def _machine(root: Path) -> Room | None:
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        free = int(fields["MemAvailable"].split()[0]) * 1024
        total = int(fields.get("MemTotal", fields["MemAvailable"]).split()[0]) * 1024
        swap = int(fields.get("SwapFree", "0").split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return None
    return Room(free, free + swap, f"the machine's memory of {mebibytes(total)}")


def _of_group(folder: Path, swap: int) -> Room | None:
    for names in (_VERSION_2, _VERSION_1):
        limit = _number(folder / names.limit)
        if limit is None:
            continue
        held = _held(folder, names)
        free, swap_limit = max(0, limit - held), _number(folder / names.swap_limit)
        if swap_limit is None:
            # None that is told: as much as the machine has.
            with_swap = free + swap
        elif names is _VERSION_2:
            with_swap = free + min(swap, max(0, swap_limit - (_number(folder / names.swap_used) or 0)))
        else:
            cached = (_number(folder / names.used) or 0) - held
            both = max(0, swap_limit - (_number(folder / names.swap_used) or 0) + cached)
            with_swap = max(free, min(free + swap, both))
        return Room(free, with_swap, f"the control group's limit of {mebibytes(limit)}")
    return None


def _until_slowed(folder: Path) -> int | None:
    high = _number(folder / "memory.high")
    return None if high is None else max(0, high - _held(folder, _VERSION_2))


def _held(folder: Path, names: _Names) -> int:
    """Returns the bytes that a group uses, without the cache of files, which the system takes back before it kills."""
    used = _number(folder / names.used) or 0
    return max(0, used - sum(size for name, size in _statistics(folder) if name in names.cached))


def _statistics(folder: Path) -> Iterator[tuple[str, int]]:
    with contextlib.suppress(OSError, ValueError):
        for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            yield name, int(value)


def _number(path: Path) -> int | None:
    """Returns the number that a file holds; None if there is no such file, or no limit."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isdigit() and int(text) < _NO_LIMIT else None
