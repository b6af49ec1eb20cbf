"""Number of processor cores that a process may use: its restriction to some, and the quota of its control groups.

A container that is given 2 of 64 cores sees all 64. Threads beyond its share are stopped for most of each period, in
which the others wait for them.
"""

import contextlib
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from biogpt_onnx.runtime.system.control_groups import group_folders

_ROOT = Path("/")


def threads_in_words(threads: int | None) -> str:
    """Returns the number of threads that a session takes, such as "2 threads"; "all cores" where none is asked for."""
    cores = num_usable_cores()
    if threads is None and cores == num_cores():
        return "all cores"
    used = min(threads or cores, cores)
    return "1 thread" if used == 1 else f"{used} threads"


def num_cores() -> int:
    """Returns the number of cores of the machine, hyperthreads among them."""
    return os.cpu_count() or 1


def allowed_cores() -> list[int]:
    """Returns the numbers of the cores that this process may run on, ascending.

    Only Linux restricts a process to some; elsewhere they are counted from 0.
    """
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    # From Python 3.13 on, a user may say how many cores a process is to count.
    count = getattr(os, "process_cpu_count", os.cpu_count)
    return list(range(count() or 1))


def can_choose_cores() -> bool:
    """Returns True where a process can be kept to some cores: on Linux alone."""
    return hasattr(os, "sched_setaffinity")


def keep_to_cores(cores: Iterable[int]) -> None:
    """Keeps this process, and those that it starts, to some cores; does nothing where they cannot be chosen."""
    if can_choose_cores():
        os.sched_setaffinity(0, set(cores))


@contextlib.contextmanager
def kept_to_cores(cores: Iterable[int]) -> Iterator[None]:
    """Keeps what is started in the block to some cores; does nothing where they cannot be chosen."""
    before = allowed_cores()
    keep_to_cores(cores)
    try:
        yield
    finally:
        keep_to_cores(before)


def num_usable_cores(root: Path = _ROOT) -> int:
    """Returns the number of cores that this process may use, a part of a core being taken as a whole one.

    Args:
        root: folder in which the system's files lie.
    """
    allowed = len(allowed_cores())
    quota = cpu_quota(root)
    return allowed if quota is None else min(allowed, max(1, math.ceil(quota)))


def cpu_quota(root: Path = _ROOT) -> float | None:
    """Returns the time that this process's control groups may compute, in cores; None without a limit.

    A group is limited by those that it is in as well. Version 1 and 2 of Linux's control groups are read, and systems
    that have both.

    Args:
        root: folder in which the system's files lie.
    """
    return min((quota for folder in group_folders(root, "cpu") for quota in _quotas(folder)), default=None)


def _quotas(folder: Path) -> Iterator[float]:
    # Version 2 has one file, in which "max" stands for no limit, and version 1 two.
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        with contextlib.suppress(OSError, ValueError):
            words = [word for name in names for word in (folder / name).read_text(encoding="ascii").split()]
            quota, period = map(int, words)
            if quota > 0 and period > 0:
                yield quota / period
