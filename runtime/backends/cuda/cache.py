"""The key-value cache of the CUDA backend, in a device's memory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cuda.buffers import BufferPool, CacheBuffer, Lease
from biogpt_onnx.runtime.backends.cuda.token_mover import TokenMover
from biogpt_onnx.runtime.ort.element_types import ElementType

if TYPE_CHECKING:
    from biogpt_onnx.runtime.ort.protocols import IoBinding


class DeviceCache:
    """The key-value cache of a batch of sequences, in a device's memory; see `Cache`.

    Rows that are not kept stay in place in the buffer and take part in each step: to move the other rows together would
    cost more than a GPU takes for them.

    Attributes:
        rows: row of the buffer in which each row of the batch lies.
        lengths: number of tokens held by each row, int64 [batch].
        capacity: number of tokens that a row has room for.
        is_part: True if other rows of the buffer, which are not this cache's, are in use.
        binding: a session's binding of this memory for passes of several tokens; None before the first.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- the memory, the part of it, and its contents
        self,
        lease: Lease,
        pool: BufferPool,
        mover: TokenMover,
        rows: Sequence[int],
        lengths: npt.NDArray[np.int64],
        capacity: int,
        element_type: ElementType,
        *,
        is_part: bool = False,
    ) -> None:
        self._lease, self._pool, self._mover = lease, pool, mover
        self._element_type = element_type
        self.rows = tuple(rows)
        self.lengths = lengths
        self.capacity = capacity
        self.is_part = is_part
        self.binding: IoBinding | None = None

    @classmethod
    def allocate(
        cls, pool: BufferPool, mover: TokenMover, batch_size: int, capacity: int, element_type: ElementType
    ) -> "DeviceCache":
        """Returns an empty cache with room for `capacity` tokens a row.

        Raises:
            DeviceMemoryError: the memory is not available.
        """
        lengths = np.zeros(batch_size, dtype=np.int64)
        lease = pool.lease(batch_size, capacity)
        return cls(lease, pool, mover, range(batch_size), lengths, capacity, element_type)

    @property
    def buffer(self) -> CacheBuffer:
        """Buffer that holds the keys and values."""
        return self._lease.buffer

    @property
    def batch_size(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def values(self, layer: int, row: int) -> npt.NDArray[np.float32]:
        """Returns the keys and values of a layer's row, [2, heads, tokens, head_size], keys first."""
        *_, heads, capacity, size = self.buffer.shape
        tokens = np.arange(self.lengths[row])
        copied = [
            self._mover.read(self.buffer.address(layer, part, self.rows[row]), (heads, capacity, size), tokens)
            for part in range(2)
        ]
        return self._element_type.load(np.stack(copied).view(self._element_type.storage))

    def row(self, index: int) -> "DeviceCache":
        """Returns one row as a cache of its own, over the same memory."""
        if self.batch_size == 1 and index == 0:
            return self
        # A view of the length, so that tokens that are read into the row count here too.
        return self._over([index], self.lengths[index : index + 1], is_part=True)

    def arrange(self, order: Sequence[int]) -> None:
        """Places the rows of the batch, which must be empty, side by side in this order."""
        if self.lengths.any():
            raise ValueError("rows are laid out before anything is in them")
        places = sorted(self.rows)
        self.rows = tuple(places[order.index(row)] for row in range(self.batch_size))

    def part(self, rows: Sequence[int]) -> "DeviceCache":
        """Returns some rows as a cache of their own, over the same memory, but with lengths of their own."""
        return self._over(rows, self.lengths[list(rows)], is_part=True)

    def keep(self, rows: Sequence[int]) -> "DeviceCache":
        """Returns a cache of these rows alone (ascending); the old one must not be used again."""
        if list(rows) != sorted(set(rows)):
            raise ValueError(f"rows must ascend, are {list(rows)}")
        return self._over(rows, self.lengths[list(rows)], is_part=self.is_part)

    def with_rows(self, rows: Sequence[int]) -> "DeviceCache":
        """Returns a cache of these rows in this order, each any number of times; the old one must not be used again.

        If no row is repeated, all stay in place. Otherwise all are copied into another buffer: to copy a single row,
        which does not lie in one piece, would take a run for each layer.
        """
        if len(set(rows)) == len(rows):
            return self._over(rows, self.lengths[list(rows)], is_part=self.is_part)
        kept = self._pool.lease(len(rows), self.buffer.capacity)
        indices = np.zeros(kept.buffer.rows, dtype=np.int64)
        indices[: len(rows)] = [self.rows[row] for row in rows]
        layers, parts, count, *shape = self.buffer.shape
        self._mover.move(
            self.buffer.address(0, 0, 0),
            (layers * parts, count, int(np.prod(shape))),
            kept.buffer.address(0, 0, 0),
            indices,
        )
        return DeviceCache(
            kept, self._pool, self._mover, range(len(rows)), self.lengths[list(rows)], self.capacity, self._element_type
        )

    def truncate(self, length: int) -> None:
        """Removes the tokens of every row beyond the first `length`."""
        np.minimum(self.lengths, length, out=self.lengths)

    def copy_from(self, source: "DeviceCache", length: int) -> None:
        """Replaces the only row of this cache by the first `length` tokens of another cache's only row."""
        if (self.buffer.rows, source.buffer.rows) != (1, 1):
            raise ValueError("tokens are copied between caches that were made for one row alone")
        # Whole rows are written, because a part of one does not lie in one piece; tokens beyond `length` do not matter.
        indices = np.zeros(self.buffer.capacity, dtype=np.int64)
        indices[:length] = np.arange(length)
        self._mover.move(source.buffer.address(0, 0, 0), source.buffer.blocks, self.buffer.address(0, 0, 0), indices)
        self.lengths[0] = length

    def _over(self, rows: Sequence[int], lengths: npt.NDArray[np.int64], *, is_part: bool) -> "DeviceCache":
        """Returns a cache of these rows of the batch in place, with the given lengths."""
        places = [self.rows[row] for row in rows]
        return DeviceCache(
            self._lease, self._pool, self._mover, places, lengths, self.capacity, self._element_type, is_part=is_part
        )
