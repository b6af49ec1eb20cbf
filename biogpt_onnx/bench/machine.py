"""Description of the machine and the software that a measurement was made on."""

import importlib.metadata
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from biogpt_onnx.runtime.system.cores import allowed_cores, num_cores, num_usable_cores
from biogpt_onnx.runtime.system.memory import total_memory
from biogpt_onnx.runtime.system.processor import describe_processor, processor_name

PACKAGES = ("biogpt-onnx", "numpy", "onnxruntime")
GPU_FIELDS = ("name", "driver_version", "memory.total")
_NVIDIA_SMI_SECONDS = 30
_INSTRUCTION_SETS = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "amx_bf16"),
    *("asimd", "asimddp", "i8mm", "bf16", "sve", "sme"),
)
# Reports and results may change after a run without changing what was measured.
_NOT_CODE = ("benchmarks/results", "README.md", "docs/benchmarks.md")


def describe(packages: tuple[str, ...] = PACKAGES) -> dict[str, object]:
    """Describes the CPU, the memory, the versions and the commit, as each result row carries them.

    Args:
        packages: packages whose versions are given; the version of one that is not installed is None.
    """
    found = describe_processor()["instruction_sets"]
    flags = found if isinstance(found, list) else []
    return {
        "cpu": cpu_model(),
        "cores": num_cores(),
        "instruction_sets": [name for name in _INSTRUCTION_SETS if name in flags],
        "memory_gb": _memory_gb(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in packages},
        "commit": _commit(),
    }


def cpu_model() -> str:
    """Returns the name of the CPU."""
    return processor_name()


def gpus(fields: Sequence[str] = GPU_FIELDS) -> list[dict[str, str]] | None:
    """Returns the fields of each GPU, by name; None where nvidia-smi does not run.

    Args:
        fields: names of fields, as `nvidia-smi --query-gpu` knows them.
    """
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    try:
        result = subprocess.run(  # noqa: S603 -- as below
            command, capture_output=True, encoding="utf-8", errors="replace", check=True, timeout=_NVIDIA_SMI_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    rows = ([value.strip() for value in line.split(",")] for line in result.stdout.splitlines())
    return [dict(zip(fields, row, strict=False)) for row in rows]


def usable_cores() -> tuple[int, ...]:
    """Returns the numbers of the cores that this process may use, as many as the CPU quota of its container gives."""
    return tuple(allowed_cores())[: num_usable_cores()]


def _memory_gb() -> float | None:
    total = total_memory()
    return None if total is None else round(total / 1e9, 1)


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
            command,
            cwd=Path(__file__).parent,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None
