"""Memory of the machine and of this process, as far as the system tells."""

import contextlib
import ctypes
import os
from collections.abc import Mapping
from pathlib import Path

from biogpt_onnx.runtime.system.room import read_room

_ROOT = Path("/")
_PROCESS = "proc/self/status"


def total_memory() -> int | None:
    """Returns the bytes of memory of the machine; None where the system does not tell, as on Windows."""
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available_memory(root: Path = _ROOT) -> int | None:
    """Returns the bytes that this process can still take without any being paged out.

    Args:
        root: folder in which the system's files lie.

    Returns:
        The least of what the machine has and what the process's control groups leave; None where nothing tells.
    """
    room = read_room(root)
    return None if room is None else room.free


def process_memory(root: Path = _ROOT) -> Mapping[str, int]:
    """Returns the fields of this process's memory in bytes by Linux's names, such as "VmRSS"; none on other systems.

    Args:
        root: folder in which the system's files lie.
    """
    return {name: _kilobytes(text) for name, text in _fields(root / _PROCESS).items() if text.endswith(" kB")}


def give_back_freed_memory() -> None:
    """Returns to the system the memory that the allocator keeps after loading: 20 to 200 MB for a full-size model."""
    # Only the GNU library has the function, and only its allocator needs it.
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _fields(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {name: value.strip() for name, colon, value in pairs if colon}


def _kilobytes(text: str) -> int:
    return int(text.split(maxsplit=1)[0]) * 1024
