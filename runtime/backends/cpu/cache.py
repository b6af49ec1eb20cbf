"""The key-value cache of the CPU backend: one block of memory, which the graph updates in place."""

import contextlib
import math
import mmap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import MemoryLimitError
from biogpt_onnx.runtime.ort.element_types import FLOAT32, ElementType
from biogpt_onnx.runtime.system.room import mebibytes

if TYPE_CHECKING:
    from biogpt_onnx.runtime.ort.protocols import IoBinding


class KeyValueCache:
    """The key-value cache of a batch of sequences; see `TreeCache`.

    Attributes:
        buffer: memory of the keys and values, [layers, 2, batch, heads, capacity, head_size]; keys at index 0 of the
            second axis, values at 1. Its numbers are of `element_type`, in that type's storage.
        lengths: number of tokens held by each row, int64 [batch].
        touched: most tokens that each row has held, whose memory is taken, as far as `new_bytes` has seen, int64
            [batch].
        element_type: float32, or half precision.
        bindings: bindings of this memory by the session that made them; none before the first pass.
    """

    def __init__(
        self,
        buffer: npt.NDArray[Any],
        lengths: npt.NDArray[np.int64],
        element_type: ElementType = FLOAT32,
        touched: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.buffer = buffer
        self.lengths = lengths
        self.touched = lengths.copy() if touched is None else touched
        self.element_type = element_type
        self.bindings: dict[object, IoBinding] = {}

    @classmethod
    def allocate(
        cls, architecture: Architecture, batch_size: int, capacity: int, element_type: ElementType = FLOAT32
    ) -> "KeyValueCache":
        """Returns an empty cache with room for `capacity` tokens a row.

        Raises:
            MemoryLimitError: the memory is not available.
        """
        shape = (architecture.num_layers, 2, batch_size, architecture.num_heads, capacity, architecture.head_size)
        try:
            buffer = _untouched_zeros(shape, element_type.storage)
        except (MemoryError, OSError, OverflowError, ValueError) as error:
            needed = element_type.storage.itemsize * float(np.prod(shape, dtype=float))
            raise MemoryLimitError(
                f"a cache of {mebibytes(needed)} for {batch_size} rows of {capacity} tokens "
                "does not fit in memory: lower max_new_tokens or give fewer prompts at a time"
            ) from error
        return cls(buffer, np.zeros(batch_size, dtype=np.int64), element_type)

    @property
    def batch_size(self) -> int:
        """Number of rows."""
        return int(self.buffer.shape[2])

    @property
    def capacity(self) -> int:
        """Number of tokens that a row has room for."""
        return int(self.buffer.shape[4])

    def new_bytes(self, tokens: int | npt.NDArray[np.int64]) -> int:
        """Returns the bytes of this buffer that have not been taken yet and that appending tokens takes.

        Args:
            tokens: number of tokens that are appended to each row, of all rows or [batch].
        """
        np.maximum(self.touched, self.lengths, out=self.touched)
        new_tokens = int(np.maximum(self.lengths + tokens - self.touched, 0).sum())
        layers, _, _, heads, _, head_size = self.buffer.shape
        bytes_of_token = int(2 * layers * heads * head_size * self.buffer.itemsize)
        return new_tokens * bytes_of_token

    def row(self, index: int) -> "KeyValueCache":
        """Returns one row as a cache of its own, over the same memory."""
        if self.batch_size == 1 and index == 0:
            return self
        return self._view(slice(index, index + 1))

    def values(self, layer: int, row: int) -> npt.NDArray[np.float32]:
        """Returns the keys and values of a layer's row, [2, heads, tokens, head_size], keys first."""
        return self.element_type.load(self.buffer[layer, :, row, :, : self.lengths[row]])

    def truncate(self, length: int) -> None:
        """Removes the tokens of every row beyond the first `length`."""
        np.minimum(self.lengths, length, out=self.lengths)

    def keep_tokens(self, slots: npt.NDArray[np.int64]) -> None:
        """Keeps these tokens of the only row and moves them together; only tokens after a gap are moved.

        Args:
            slots: indices of the tokens, ascending, [tokens].
        """
        count = len(slots)
        moved = slots != np.arange(count)
        first = int(moved.argmax()) if moved.any() else count
        # The right side is a copy, so that nothing is overwritten before it is read.
        self.buffer[:, :, 0, :, first:count] = self.buffer[:, :, 0][:, :, :, slots[first:]]
        self.lengths[0] = count

    def end_reading(self) -> None:
        """Does nothing, because steps need the same memory; see `TreeCache`."""

    def copy_from(self, source: "KeyValueCache", length: int) -> None:
        """Replaces the only row of this cache by the first `length` tokens of another cache's only row."""
        self.buffer[:, :, 0, :, :length] = source.buffer[:, :, 0, :, :length]
        self.lengths[0] = length

    def front(self, count: int) -> "KeyValueCache":
        """Returns the first rows as a cache of its own, over the same memory."""
        return self._view(slice(count))

    def some_rows(self, first: int, count: int) -> "KeyValueCache":
        """Returns rows side by side as a cache of its own, over the same memory."""
        return self._view(slice(first, first + count))

    def move(self, source: int, target: int) -> None:
        """Replaces the tokens of the row `target` by those of the row `source`."""
        length = self.lengths[source]
        self.buffer[:, :, target, :, :length] = self.buffer[:, :, source, :, :length]
        self.lengths[target] = length

    def keep(self, rows: Sequence[int]) -> "KeyValueCache":
        """Returns a cache of these rows alone, moved to the front of the same memory.

        The old cache must not be used again.

        Args:
            rows: indices of the rows, ascending.
        """
        if list(rows) != sorted(set(rows)):
            raise ValueError(f"rows must ascend, are {list(rows)}")
        for target, source in enumerate(rows):
            if target != source:
                self.move(source, target)
        return self.front(len(rows))

    def _view(self, rows: slice) -> "KeyValueCache":
        return KeyValueCache(self.buffer[:, :, rows], self.lengths[rows], self.element_type, self.touched[rows])


def _untouched_zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
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
