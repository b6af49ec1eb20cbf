"""Processes that are measured: pinned to cores, asked by JSON lines, their memory read from outside.

A process that answers requests is a `PinnedProcess`, the one that `biogpt-onnx bench` measures with; its other end is
`benchmarks.serving`. Reading memory needs Linux's /proc.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from biogpt_onnx.bench.machine import usable_cores
from biogpt_onnx.bench.measuring.process import PinnedProcess

CHECKOUT = Path(__file__).resolve().parents[1]

_SAMPLE_SECONDS = 0.002
_MEMORY_FIELDS = {
    "resident_bytes": ("Rss",),
    "anonymous_bytes": ("Anonymous",),
    "proportional_bytes": ("Pss",),
    "private_bytes": ("Private_Clean", "Private_Dirty"),
}


class Ended(NamedTuple):
    """Time and memory of a process that has ended.

    Attributes:
        seconds: from its start to its end.
        cpu_seconds: that its threads computed, in all, the system's work for it included.
        peak_anonymous_bytes: the most memory at one moment that no file backs; 0 if its memory was not watched. Pages
            of mapped files are not counted, because the system can take them back at any time.
        peak_resident_bytes: the most memory at one moment, mapped files included; 0 if its memory was not watched.
        samples: how often its memory was read.
    """

    seconds: float
    cpu_seconds: float
    peak_anonymous_bytes: int
    peak_resident_bytes: int
    samples: int


@contextmanager
def started(
    module: str, *arguments: object, threads: int | None = None, patience: float | None = None
) -> Iterator[PinnedProcess]:
    """Runs a module of this package that answers requests, and ends it with the block.

    Args:
        module: such as "micro.model_server"; it calls `benchmarks.serving.serve`.
        arguments: of its command line.
        threads: cores that it is pinned to; all that this process may use by default.
        patience: seconds that each of its answers may take; 20 minutes by default.

    Raises:
        ContenderError: it cannot be started, or says in its first line that it failed.
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    limits = {} if patience is None else {"patience": max(0.0, patience)}
    with (
        tempfile.TemporaryDirectory() as folder,
        PinnedProcess(
            command, usable_cores()[:threads], Path(folder) / "log", checkout_environment(), **limits
        ) as process,
    ):
        yield process


def checkout_environment(*folders: Path) -> dict[str, str]:
    """Returns the variable with which a child imports from the checkout, and from these folders, wherever it runs."""
    existing = os.environ.get("PYTHONPATH")
    paths = [str(CHECKOUT), *map(str, folders), *([existing] if existing else [])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


def memory_of(process: PinnedProcess) -> dict[str, int]:
    """Reads a process's memory from `/proc/PID/smaps_rollup`, in bytes.

    Returns:
        `resident_bytes` (all of it), `anonymous_bytes` (no file behind it), `proportional_bytes` (a page that n
        processes map counts 1/n), and `private_bytes` (mapped by no other process).
    """
    text = Path(f"/proc/{process.process_id}/smaps_rollup").read_text(encoding="ascii")
    pairs = (line.split()[:2] for line in text.splitlines()[1:])
    sizes = {name.rstrip(":"): int(kilobytes) * 1024 for name, kilobytes in pairs}
    return {name: sum(sizes[field] for field in fields) for name, fields in _MEMORY_FIELDS.items()}


def run_to_end(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, watch_memory: bool = False
) -> Ended:
    """Runs a command that answers nothing, on all cores, and waits for its end.

    Args:
        command: the program and its arguments; what it prints on standard output is dropped.
        environment: variables besides this process's own.
        watch_memory: reads its memory every two milliseconds, which a measurement of time should do without.

    Raises:
        RuntimeError: it ended with another code than 0.
    """
    start, before, samples = time.perf_counter(), _cpu_seconds_of_children(), 0
    anonymous, resident = 0, 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
    try:
        while watch_memory and process.poll() is None:
            status = _memory_status(process.pid)
            anonymous, resident = max(anonymous, status.get("RssAnon", 0)), max(resident, status.get("VmHWM", 0))
            samples += 1
            time.sleep(_SAMPLE_SECONDS)
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if code:
        raise RuntimeError(f"{' '.join(command)} ended with {code}")
    seconds, cpu_seconds = time.perf_counter() - start, _cpu_seconds_of_children() - before
    return Ended(seconds, cpu_seconds, anonymous, resident, samples)


def _cpu_seconds_of_children() -> float:
    """Returns the processor time of all children that have ended so far."""
    times = os.times()
    return times.children_user + times.children_system


def _memory_status(process_id: int) -> dict[str, int]:
    """Returns the memory fields of `/proc/PID/status` in bytes; none of a process that has ended."""
    # Cheaper than smaps_rollup, which walks all pages.
    try:
        status = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.split() for line in status.splitlines() if line.endswith(" kB"))
    return {name.rstrip(":"): int(kilobytes) * 1024 for name, kilobytes, _ in pairs}
