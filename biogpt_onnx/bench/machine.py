"""Description of the machine and the software that a measurement was made on."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from biogpt_onnx.runtime.memory.room import read_room
from biogpt_onnx.runtime.ort.cores import num_usable_cores

PACKAGES = ("biogpt-onnx", "numpy", "onnxruntime")
GPU_FIELDS = ("name", "driver_version", "memory.total")
_NVIDIA_SMI_SECONDS = 30
_INSTRUCTION_SETS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "amx_bf16")
# Reports and results may change after a run without changing what was measured.
_NOT_CODE = ("benchmarks/results", "README.md", "docs/benchmarks.md")


def describe(packages: tuple[str, ...] = PACKAGES) -> dict[str, object]:
    """Describes the CPU, the memory, the versions and the commit, as each result row carries them.

    Args:
        packages: packages whose versions are given; the version of one that is not installed is None.
    """
    cpu = _cpu_fields()
    flags = cpu.get("flags", "").split()
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "instruction_sets": [name for name in _INSTRUCTION_SETS if name in flags],
        "memory_gb": _memory_gb(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in packages},
        "commit": _commit(),
    }


def cpu_model() -> str:
    """Returns the name of the CPU."""
    return _cpu_fields().get("model name", platform.processor() or platform.machine())


def gpus(fields: Sequence[str] = GPU_FIELDS) -> list[dict[str, str]] | None:
    """Returns the fields of each GPU, by name; None where nvidia-smi does not run.

    Args:
        fields: names of fields, as `nvidia-smi --query-gpu` knows them.
    """
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    try:
        result = subprocess.run(  # noqa: S603 -- as below
            command, capture_output=True, text=True, check=True, timeout=_NVIDIA_SMI_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    rows = ([value.strip() for value in line.split(",")] for line in result.stdout.splitlines())
    return [dict(zip(fields, row, strict=False)) for row in rows]


def usable_cores() -> tuple[int, ...]:
    """Returns the numbers of the cores that this process may use, as many as the CPU quota of its container gives."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return tuple(sorted(cores))[: num_usable_cores()]


def available_memory() -> int | None:
    """Returns the memory in bytes that this process can still take, or None where the system does not say."""
    room = read_room()
    return None if room is None else room.free


def _memory_gb() -> float | None:
    if not hasattr(os, "sysconf"):
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)


def _cpu_fields() -> Mapping[str, str]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").split("\n\n")[0].splitlines() if path.exists() else []
    pairs = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Returns the commit of this checkout, with "-dirty" if code was changed since; None outside a repository."""
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    commit = _git("describe", "--always", "--exclude=*", "--abbrev=12")
    changed = _git("diff", "--quiet", "HEAD", "--", ":(top)", *(f":(top,exclude){name}" for name in _NOT_CODE)) is None
    return f"{commit}-dirty" if commit and changed else commit


def _git(*arguments: str) -> str | None:
    """Returns the output of git; None if it fails or is not installed."""
    command = ["git", *arguments]
    try:
        result = subprocess.run(  # noqa: S603 -- a fixed command
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None
