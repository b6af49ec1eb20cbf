"""Weights that stay mapped from the bundle's file, and the memory that their pages take.

ONNX Runtime copies what it rearranges and closes the mapping of the original, except of the embedding table, of which
the head has the rearranged copy: rearranging reads the whole table, and a passage needs only the rows of its tokens.
"""

import contextlib
import ctypes
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from biogpt_onnx.runtime.system import kind

_MAPPINGS = Path("/proc/self/smaps")
_LEAST_BYTES = 1024 * 1024
_HEADER_FIELDS = 6


class _Mapping(NamedTuple):
    """A part of the address space.

    Attributes:
        start: its address.
        size: in bytes.
        path: the file that is mapped there; empty if none is.
    """

    start: int
    size: int
    path: str


def release_mapped_pages(file: Path) -> None:
    """Takes the pages of a mapped file out of this process's memory, if it is large; the system still caches them.

    A page that is read again is mapped again. Nothing happens where the system is not Linux, and to mappings that have
    been written to, whose pages hold something else than the file.

    Args:
        file: the file.
    """
    if not kind.is_linux():
        return
    # A system without /proc or the function keeps the pages.
    with contextlib.suppress(OSError, AttributeError):
        library, path = ctypes.CDLL(None), str(file.resolve())
        for mapping in _unwritten(_MAPPINGS.read_text(encoding="utf-8", errors="surrogateescape")):
            if mapping.path == path and mapping.size >= _LEAST_BYTES:
                library.madvise(
                    ctypes.c_void_p(mapping.start), ctypes.c_size_t(mapping.size), ctypes.c_int(mmap.MADV_DONTNEED)
                )


def _unwritten(smaps: str) -> Iterator[_Mapping]:
    """Yields the mappings without pages of the process's own."""
    mapping = _Mapping(0, 0, "")
    for line in smaps.splitlines():
        name, _, value = line.partition(" ")
        if name == "Anonymous:":
            # Every mapping has this line, behind the one that names it.
            if value.split()[0] == "0":
                yield mapping
        elif not name.endswith(":"):
            start, _, end = name.partition("-")
            fields = line.split(maxsplit=_HEADER_FIELDS - 1)
            path = fields[-1] if len(fields) == _HEADER_FIELDS else ""
            mapping = _Mapping(int(start, 16), int(end, 16) - int(start, 16), path)
