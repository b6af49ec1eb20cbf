"""Numbers of processes and threads that suit a machine's cores and memory, and the cores of each process."""

from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.runtime.bulk.batches import CACHE_BYTES
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.memory.formula import cache_bytes
from biogpt_onnx.runtime.system.cores import allowed_cores, can_choose_cores, num_usable_cores
from biogpt_onnx.runtime.system.room import read_room

THREADS = 4
"""Threads of a cluster's worker, and of a process where nothing says if there is memory for more processes."""

PROCESS_BYTES = 512 * 2**20
"""Memory of a process beside weights and cache: Python, ONNX Runtime, the tokenizer, and the records of a unit."""

_BATCH_SIZE = 8
_WEIGHT_COPIES = 2
_ROOT = Path("/")


@dataclass(frozen=True)
class Capacity:
    """The processes of a call, and their threads.

    Attributes:
        workers: Number of processes.
        threads: Number of threads of each.
        process_bytes: The most memory that each takes beside the weights, as an estimate.
        shared_bytes: The memory of the weights, which all have in common, as an estimate.
    """

    workers: int
    threads: int
    process_bytes: int
    shared_bytes: int

    @property
    def total_bytes(self) -> int:
        """The most memory of all processes, as an estimate."""
        return self.shared_bytes + self.workers * self.process_bytes


def choose_capacity(  # noqa: PLR0913 -- what was asked for, and what there is
    manifest: Manifest,
    workers: int | None = None,
    threads: int | None = None,
    *,
    batch_size: int | None = None,
    cores: int | None = None,
    memory: int | None = None,
    units: int | None = None,
) -> Capacity:
    """Chooses what was not asked for.

    Processes of one thread answer more documents than fewer of several, whose threads wait for each other. There are as
    many as the memory and the work allow, but fewer where more than a quarter of the cores would be left idle.

    Args:
        manifest: The bundle's manifest.
        workers: Number of processes that was asked for; None to choose it.
        threads: Number of threads that was asked for; None to choose it.
        batch_size: The most documents that are decoded together; None for the CPU's default.
        cores: Number of cores; None for those that this process may use.
        memory: Free memory in bytes; None for what the system says.
        units: Number of units that are left; None for enough for all cores.

    Raises:
        ConfigError: A number is below 1.
    """
    check_numbers(workers, threads, batch_size)
    cores = cores or num_usable_cores()
    memory = memory if memory is not None else free_memory()
    cached = cache_bytes(manifest, batch_size or _BATCH_SIZE, manifest.architecture.max_positions)
    process_bytes = PROCESS_BYTES + min(CACHE_BYTES, cached)
    shared_bytes = _WEIGHT_COPIES * sum(record.size for record in manifest.files.values())
    if workers is None:
        least = 1 if memory is not None else min(THREADS, cores)
        most = cores // (threads or least)
        if units is not None:
            most = min(most, units)
        if memory is not None:
            most = min(most, (memory - shared_bytes) // process_bytes)
        workers = max(1, most) if threads else _most_busy(most, cores)
    return Capacity(workers, threads or max(1, cores // workers), process_bytes, shared_bytes)


def check_numbers(workers: int | None, threads: int | None, batch_size: int | None) -> None:
    """Refuses numbers that cannot be.

    Raises:
        ConfigError: A number is below 1.
    """
    for name, value in (("workers", workers), ("threads", threads), ("batch_size", batch_size)):
        if value is not None and (type(value) is not int or value < 1):
            raise ConfigError(f"{name} is {value!r}: give a whole number of 1 or more")


def _most_busy(most: int, cores: int) -> int:
    """Returns the largest number of processes, at most `most`, that leave at most a quarter of the cores idle."""
    fitting = (workers for workers in range(most, 1, -1) if 4 * workers * (cores // workers) >= 3 * cores)
    return next(fitting, 1)


def cores_of(worker: int, capacity: Capacity) -> list[int] | None:
    """Returns the cores that a process is to keep to; None where processes are not pinned.

    They are not where cores cannot be chosen, where there are not enough for all, and where a container has a share of
    the time of all cores, of which other containers would choose the same ones.

    Args:
        worker: The number of the process, from 0.
        capacity: All processes.
    """
    if not can_choose_cores():
        return None
    cores = allowed_cores()
    if num_usable_cores() < len(cores) or capacity.workers * capacity.threads > len(cores):
        return None
    return cores[worker * capacity.threads : (worker + 1) * capacity.threads]


def free_memory(root: Path = _ROOT) -> int | None:
    """Returns the bytes that programs can still have, within the limit of the container; None if nothing says it.

    Args:
        root: The folder in which the system's files lie.
    """
    room = read_room(root)
    return None if room is None else room.free
