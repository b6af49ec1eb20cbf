"""Zeros that take memory page by page, as they are written to, and that give it back."""

import contextlib
import math
import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.system.kind import is_linux


def untouched_zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Returns zeros that take memory only as they are written to, page by page.

    numpy's zeros are mapped in huge pages of 2 MB, of which the first token of every head touches one, so that the
    whole buffer is taken, and zeroed, at once: for room of 2,048 tokens BioGPT's prefill of 128 took twice as long.
    """
    if not hasattr(mmap, "MAP_ANONYMOUS"):
        return np.zeros(shape, dtype=dtype)
    memory = mmap.mmap(-1, dtype.itemsize * math.prod(shape), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without huge pages refuses the advice
            memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, dtype=dtype).reshape(shape)


def give_back(part: npt.NDArray[Any]) -> None:
    """Gives the system back the whole pages of a part of such zeros, which is zero there again.

    Other systems than Linux, where such an advice need not free anything, keep the memory.

    Args:
        part: numbers that lie side by side in memory.
    """
    memory = _mapping_of(part)
    if memory is None or not is_linux():
        return
    # A mapping begins at a page.
    first = _address(part) - _address(np.frombuffer(memory, dtype=np.uint8))
    start = -(-first // mmap.PAGESIZE) * mmap.PAGESIZE
    size = (first + part.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE - start
    if size > 0:
        with contextlib.suppress(OSError):  # locked pages stay
            memory.madvise(mmap.MADV_DONTNEED, start, size)


def _mapping_of(array: npt.NDArray[Any]) -> mmap.mmap | None:
    """Returns the mapping in which an array lies; None if it lies elsewhere."""
    owner: object = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    memory = owner.obj if isinstance(owner, memoryview) else owner
    # A mapped file would be read again from the disk, and is no array of zeros.
    return memory if isinstance(memory, mmap.mmap) and not isinstance(array, np.memmap) else None


def _address(array: npt.NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])
