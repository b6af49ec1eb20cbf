"""The pages of memory in which weights lie: those of the bundle's file, and those of what is rearranged.

ONNX Runtime copies what it rearranges and closes the mapping of the original, except of the embedding table, of which
the head has the rearranged copy: rearranging reads the whole table, and a passage needs only the rows of its tokens.

The copies lie in small pages where the system makes huge ones only on request. Every pass reads all of them, which is
faster in huge pages: the processor looks up the place of 2 MB at a time instead of that of 4 KB.
"""

import contextlib
import ctypes
import errno
import mmap
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import BinaryIO, NamedTuple

from biogpt_onnx.runtime.system import kind

_ROOT = Path("/")
_SMAPS = "proc/self/smaps"
_MAPS = "proc/self/maps"
_PAGEMAP = "proc/self/pagemap"
_ENTRY_BYTES, _IS_PRESENT = 8, 0x80
"""Of a page's entry in the pagemap: its bytes, and the bit in the last one that says that the page is in memory."""
_HUGE_PAGES = "sys/kernel/mm/transparent_hugepage"
_LEAST_BYTES = 1024 * 1024
_HEADER_FIELDS = 6
_COLLAPSE = 25
"""Linux's MADV_COLLAPSE, since 6.1, which Python's `mmap` does not name before 3.14."""

Span = tuple[int, int]
"""A part of the address space: its first address, and the one behind its last."""


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
        for mapping in _unwritten((_ROOT / _SMAPS).read_text(encoding="utf-8", errors="surrogateescape")):
            if mapping.path == path and mapping.size >= _LEAST_BYTES:
                library.madvise(
                    ctypes.c_void_p(mapping.start), ctypes.c_size_t(mapping.size), ctypes.c_int(mmap.MADV_DONTNEED)
                )


def anonymous_memory(root: Path = _ROOT) -> Sequence[Span]:
    """Returns the parts of the address space that are no file's and can be written, in order.

    Args:
        root: folder in which the system's files lie.

    Returns:
        Nothing where the system is not Linux.
    """
    if not kind.is_linux():
        return ()
    try:
        lines = (root / _MAPS).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ()
    return [_span(fields[0]) for fields in map(str.split, lines) if fields[1] == "rw-p" and _is_anonymous(fields)]


def move_to_huge_pages(before: Sequence[Span], stop: Event, root: Path = _ROOT) -> None:
    """Moves the memory that was taken since to huge pages, as far as it fills them and the system has any to give.

    What lies in the memory stays as it is, and may be read and written meanwhile. Linux from 6.1 on moves it at once;
    earlier ones are asked to do so in time. Nothing happens elsewhere, and where an administrator has set
    `/sys/kernel/mm/transparent_hugepage/enabled` to "never".

    Args:
        before: what `anonymous_memory` returned before.
        stop: ends this early once it is set.
        root: folder in which the system's files lie.
    """
    size = _huge_page_size(root)
    if size is None:
        return
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None, use_errno=True)
        with (root / _PAGEMAP).open("rb", buffering=0) as pages:
            for start in _new_blocks(before, anonymous_memory(root), size):
                if stop.is_set():
                    return
                if _is_filled(pages, start, size) and not _advise(library, start, size, _COLLAPSE):
                    _advise(library, start, size, mmap.MADV_HUGEPAGE)


def _advise(library: ctypes.CDLL, start: int, size: int, advice: int) -> bool:
    """Gives the system an advice; returns False if it does not know it."""
    failed = library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), ctypes.c_int(advice))
    return not (failed and ctypes.get_errno() == errno.EINVAL)


def _is_filled(pages: BinaryIO, start: int, size: int) -> bool:
    """Returns True if every page is in memory, so that a huge one in place of them takes no more.

    The file is read, as services are often forbidden to call mincore(), on pain of their end.
    """
    length = size // mmap.PAGESIZE * _ENTRY_BYTES
    pages.seek(start // mmap.PAGESIZE * _ENTRY_BYTES)
    entries = pages.read(length)
    return len(entries) == length and all(byte & _IS_PRESENT for byte in entries[_ENTRY_BYTES - 1 :: _ENTRY_BYTES])


def _new_blocks(before: Sequence[Span], now: Sequence[Span], size: int) -> Iterator[int]:
    """Yields the first addresses of whole blocks of a size, in what is there now and was not before."""
    starts = [start for start, _ in before]
    for first, end in now:
        for start in range(-(-first // size) * size, end - size + 1, size):
            # If any reaches into the block, so does the last one that begins before the block's end.
            place = bisect_right(starts, start + size - 1) - 1
            if place < 0 or before[place][1] <= start:
                yield start


def _huge_page_size(root: Path) -> int | None:
    """Returns the bytes of a huge page; None where there are none, or the administrator wants none."""
    if not kind.is_linux():
        return None
    try:
        enabled = (root / _HUGE_PAGES / "enabled").read_text(encoding="ascii")
        size = int((root / _HUGE_PAGES / "hpage_pmd_size").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if "[never]" in enabled or size % mmap.PAGESIZE else size


def _span(addresses: str) -> Span:
    start, _, end = addresses.partition("-")
    return int(start, 16), int(end, 16)


def _is_anonymous(fields: Sequence[str]) -> bool:
    return len(fields) < _HEADER_FIELDS or fields[_HEADER_FIELDS - 1].startswith(("[heap]", "[anon"))


def _unwritten(smaps: str) -> Iterator[_Mapping]:
    """Yields the mappings that have pages in memory, none of them the process's own.

    Where all is zero, there is nothing to release, or an emulator of Linux's programs shows what it does not know.
    """
    mapping, resident = _Mapping(0, 0, ""), False
    for line in smaps.splitlines():
        name, _, value = line.partition(" ")
        if name == "Rss:":
            # Every mapping has this line and the next, in this order, behind the one that names it.
            resident = value.split()[0] != "0"
        elif name == "Anonymous:":
            if resident and value.split()[0] == "0":
                yield mapping
        elif not name.endswith(":"):
            start, end = _span(name)
            fields = line.split(maxsplit=_HEADER_FIELDS - 1)
            path = fields[-1] if len(fields) == _HEADER_FIELDS else ""
            mapping = _Mapping(start, end - start, path)
