"""The key-value cache of the CPU backend: one block of memory, which the graph updates in place."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cpu.pages import give_back, untouched_zeros
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
        touched: most tokens that each row has held since its memory was given back last, int64 [batch]; it may lag
            behind `lengths`.
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
            buffer = untouched_zeros(shape, element_type.storage)
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
        self._note_touched()
        return int(np.maximum(self.lengths + tokens - self.touched, 0).sum()) * self._bytes_of_token

    def give_back(self) -> int:
        """Gives the system back the memory of tokens that rows held before and hold no more.

        Returns:
            About the number of its bytes; 0 if there are no such tokens.
        """
        self._note_touched()
        unused = int((self.touched - self.lengths).sum())
        for row in np.flatnonzero(self.touched > self.lengths):
            first = int(self.lengths[row])
            for part in _parts(self.buffer[:, :, row]):
                for of_head in part:
                    give_back(of_head[first:])
        self.touched[:] = self.lengths
        return unused * self._bytes_of_token

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
        self._note_touched()
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
        for read, written in zip(_parts(source.buffer[:, :, 0]), _parts(self.buffer[:, :, 0]), strict=True):
            written[:, :length] = read[:, :length]
        self._note_touched()
        self.lengths[0] = length

    def front(self, count: int) -> "KeyValueCache":
        """Returns the first rows as a cache of its own, over the same memory."""
        return self._view(slice(count))

    def some_rows(self, first: int, count: int) -> "KeyValueCache":
        """Returns rows side by side as a cache of its own, over the same memory."""
        return self._view(slice(first, first + count))

    def move(self, source: int, target: int, *, gives_back: bool = False) -> None:
        """Replaces the tokens of the row `target` by those of the row `source`.

        Args:
            source: row whose tokens are copied.
            target: row that gets them.
            gives_back: True to empty the row `source`, and to give its memory back as it is copied, so that hardly
                any is taken for a moment in which there is none.
        """
        length = int(self.lengths[source])
        for read, written in zip(_parts(self.buffer[:, :, source]), _parts(self.buffer[:, :, target]), strict=True):
            written[:, :length] = read[:, :length]
            if gives_back:
                give_back(read)
        self._note_touched()
        self.lengths[target] = length
        if gives_back:
            self.lengths[source] = self.touched[source] = 0

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

    @property
    def _bytes_of_token(self) -> int:
        layers, parts, _, heads, _, head_size = self.buffer.shape
        return int(layers * parts * heads * head_size * self.buffer.itemsize)

    def _note_touched(self) -> None:
        """Notes which tokens were written, before rows are shortened."""
        np.maximum(self.touched, self.lengths, out=self.touched)

    def _view(self, rows: slice) -> "KeyValueCache":
        return KeyValueCache(self.buffer[:, :, rows], self.lengths[rows], self.element_type, self.touched[rows])


def _parts(row: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Yields the keys and the values of each layer of a row, [heads, capacity, head_size], which lie side by side.

    Rows of one buffer, whose extents overlap, are copied part by part: numpy would first copy all to a new place.
    """
    for of_layer in row:
        yield from of_layer
