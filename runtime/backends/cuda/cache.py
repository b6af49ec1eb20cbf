"""The keys and values of the tokens so far, in a device's memory."""

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
    """The cache of a batch; what the searches know as a `Cache`.

    Rows that are not kept stay where they are in the buffer, and are computed on with the others: to move the rest
    together would cost more than a GPU takes for them.

    Attributes:
        rows: where in the buffer each row of the batch lies.
        lengths: int64 [batch], tokens held by each row.
        capacity: tokens that a row has room for.
        is_part: whether other rows, which are not this cache's, go on in the same buffer.
        binding: what a session has bound to this memory for passes of several tokens; None before the first.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- whose memory, which part of it, what is in it
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
        """An empty cache with room for `capacity` tokens a row.

        Raises:
            DeviceMemoryError: the memory cannot be had.
        """
        lengths = np.zeros(batch_size, dtype=np.int64)
        lease = pool.lease(batch_size, capacity)
        return cls(lease, pool, mover, range(batch_size), lengths, capacity, element_type)

    @property
    def buffer(self) -> CacheBuffer:
        """The memory."""
        return self._lease.buffer

    @property
    def batch_size(self) -> int:
        """Rows."""
        return len(self.rows)

    def values(self, layer: int, row: int) -> npt.NDArray[np.float32]:
        """What a layer holds of a row, [2, heads, tokens, head_size]: keys, then values."""
        *_, heads, capacity, size = self.buffer.shape
        tokens = np.arange(self.lengths[row])
        brought = [
            self._mover.read(self.buffer.address(layer, part, self.rows[row]), (heads, capacity, size), tokens)
            for part in range(2)
        ]
        return self._element_type.load(np.stack(brought).view(self._element_type.storage))

    def row(self, index: int) -> "DeviceCache":
        """One row as a cache of its own, over the same memory."""
        if self.batch_size == 1 and index == 0:
            return self
        # A view, so that what is read into the row counts here too.
        return self._over([index], self.lengths[index : index + 1], is_part=True)

    def arrange(self, order: Sequence[int]) -> None:
        """Lays rows of the batch, which must be empty, side by side in this order."""
        if self.lengths.any():
            raise ValueError("rows are laid out before anything is in them")
        places = sorted(self.rows)
        self.rows = tuple(places[order.index(row)] for row in range(self.batch_size))

    def part(self, rows: Sequence[int]) -> "DeviceCache":
        """Some rows as a cache of their own, over the same memory, but with lengths of their own."""
        return self._over(rows, self.lengths[list(rows)], is_part=True)

    def keep(self, rows: Sequence[int]) -> "DeviceCache":
        """A cache of these rows alone (ascending); the old one must not be used again."""
        if list(rows) != sorted(set(rows)):
            raise ValueError(f"rows must ascend, are {list(rows)}")
        return self._over(rows, self.lengths[list(rows)], is_part=self.is_part)

    def with_rows(self, rows: Sequence[int]) -> "DeviceCache":
        """A cache of these rows in this order, each any number of times; the old one must not be used again.

        Where none comes twice they stay where they are. Otherwise all go into other memory: to copy a single one, which
        does not lie in one piece, would take a run for each layer.
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
        """Forgets what every row holds beyond `length` tokens."""
        np.minimum(self.lengths, length, out=self.lengths)

    def copy_from(self, source: "DeviceCache", length: int) -> None:
        """Makes the only row of this cache the first tokens of another's only row."""
        if (self.buffer.rows, source.buffer.rows) != (1, 1):
            raise ValueError("tokens are copied between caches that were made for one row alone")
        # Whole rows are written, because a part of one does not lie in one piece; what is behind `length` is no matter.
        indices = np.zeros(self.buffer.capacity, dtype=np.int64)
        indices[:length] = np.arange(length)
        self._mover.move(source.buffer.address(0, 0, 0), source.buffer.blocks, self.buffer.address(0, 0, 0), indices)
        self.lengths[0] = length

    def _over(self, rows: Sequence[int], lengths: npt.NDArray[np.int64], *, is_part: bool) -> "DeviceCache":
        """These rows of the batch where they are, with lengths of their own or shared."""
        places = [self.rows[row] for row in rows]
        return DeviceCache(
            self._lease, self._pool, self._mover, places, lengths, self.capacity, self._element_type, is_part=is_part
        )
