"""A key-value cache in 8 bits for sequences that step, beside one in float32 for the text that is being read.

ONNX Runtime's attention steps over keys and values in 8 bits at twice the speed, and reads text into them at less than
half. So text is read as float32, one row at a time, and quantized when the row is first stepped.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache

LARGEST_CODE = 127
"""Largest magnitude of a code."""

_TOKENS_AT_A_TIME = 128
"""Tokens that are quantized at a time, so that what is computed stays in the processor's cache."""

Scales = npt.NDArray[np.float32]
"""Scales of each layer's keys and values, [layers, 2, heads, 1, head_size], keys first."""


class _Reading:
    """The memory in which text is read, one row at a time.

    Attributes:
        row: number of the row that was read last, among all rows; None if there is none.
        cache: its keys and values in float32; None while there is no such memory.

    Args:
        codes: keys and values of all rows in 8 bits.
        scales: what each channel's codes are multiplied by.
        allocate: returns an empty float32 cache of one row.
    """

    def __init__(self, codes: KeyValueCache, scales: Scales, allocate: Callable[[], KeyValueCache]) -> None:
        self._codes, self._scales, self._allocate = codes, scales, allocate
        self.row: int | None = None
        self.cache: KeyValueCache | None = None

    def begin(self, row: int) -> KeyValueCache:
        """Returns an empty float32 cache for a row; what has been read of another is quantized first."""
        self.quantize()
        if self.cache is None:
            self.cache = self._allocate()
        self.row = row
        self.cache.truncate(0)
        return self.cache

    def end(self) -> None:
        """Gives the memory back."""
        self.row = self.cache = None

    def give_back(self) -> int:
        """Gives the system back the memory of tokens that are needed no more; returns about the number of its bytes."""
        if self.cache is None:
            return 0
        if self.row is None or self._codes.lengths[self.row] > self.cache.lengths[0]:
            # The row has been stepped, or there is none.
            self.cache.truncate(0)
        return self.cache.give_back()

    def quantize(self) -> None:
        """Quantizes the tokens that have been read and not been quantized yet."""
        row, cache = self.row, self.cache
        if row is None or cache is None:
            return
        first, end = int(self._codes.lengths[row]), int(cache.lengths[0])
        if first >= end:
            return
        for layer, reciprocals in enumerate(1 / self._scales):
            for start in range(first, end, _TOKENS_AT_A_TIME):
                tokens = slice(start, min(start + _TOKENS_AT_A_TIME, end))
                codes = cache.buffer[layer, :, 0, :, tokens] * reciprocals  # [2, heads, tokens, head_size]
                np.rint(codes, out=codes)
                np.clip(codes, -LARGEST_CODE, LARGEST_CODE, out=codes)
                self._codes.buffer[layer, :, row, :, tokens] = codes
        self._codes.lengths[row] = end


class QuantizedCache:
    """The key-value cache of a batch of sequences whose steps are computed over 8 bits; see `TreeCache`.

    A row is read first and stepped then. Text can be read again only after the steps have been truncated, as a prefix
    does, and not after `end_reading`.

    Args:
        codes: keys and values in 8 bits; its lengths count the tokens that each row has there.
        scales: what each channel's codes are multiplied by.
        reading: memory in which text is read, of all rows.
        first: number of the first of these rows, among all.
    """

    def __init__(self, codes: KeyValueCache, scales: Scales, reading: _Reading, first: int = 0) -> None:
        self._codes, self._scales, self._reading, self._first = codes, scales, reading, first

    @classmethod
    def empty(cls, codes: KeyValueCache, scales: Scales, allocate: Callable[[], KeyValueCache]) -> "QuantizedCache":
        """Returns an empty cache.

        Args:
            codes: memory of the keys and values in 8 bits, which holds no tokens.
            scales: what each channel's codes are multiplied by.
            allocate: returns an empty float32 cache of one row, with room for as many tokens.
        """
        return cls(codes, scales, _Reading(codes, scales, allocate))

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of tokens held by each row, [batch]; changes to the array change nothing."""
        lengths = self._codes.lengths.copy()
        if (read := self._read_here()) is not None:
            row, cache = read
            lengths[row] = max(lengths[row], cache.lengths[0])
        return lengths

    @property
    def batch_size(self) -> int:
        """Number of rows."""
        return self._codes.batch_size

    @property
    def capacity(self) -> int:
        """Number of tokens that a row has room for."""
        return self._codes.capacity

    def to_read(self) -> KeyValueCache:
        """Returns the only row's cache in float32, into which text is read.

        Raises:
            ValueError: the cache has several rows, or the row has been stepped.
        """
        if self.batch_size != 1:
            raise ValueError(f"text is read into one row at a time, the cache has {self.batch_size}")
        held = self._read_here()
        if held is not None and held[1].lengths[0] >= self._codes.lengths[0]:
            return held[1]
        if self._codes.lengths[0]:
            raise ValueError("the row has been stepped, and text can be read no more")
        return self._reading.begin(self._first)

    def to_step(self) -> KeyValueCache:
        """Returns the rows' cache in 8 bits, over which they are stepped; what has been read is quantized first."""
        self._quantize()
        return self._codes

    def end_reading(self) -> None:
        """Quantizes what has been read, and gives back the float32 memory; see `TreeCache`."""
        self._quantize()
        self._reading.end()

    def row(self, index: int) -> "QuantizedCache":
        """Returns one row as a cache of its own, over the same memory."""
        return self if self.batch_size == 1 and index == 0 else self._over(self._codes.row(index), index)

    def front(self, count: int) -> "QuantizedCache":
        """Returns the first rows as a cache of its own, over the same memory."""
        return self._over(self._codes.front(count))

    def some_rows(self, first: int, count: int) -> "QuantizedCache":
        """Returns rows side by side as a cache of its own, over the same memory."""
        return self._over(self._codes.some_rows(first, count), first)

    def values(self, layer: int, row: int) -> npt.NDArray[np.float32]:
        """Returns the keys and values of a layer's row that are in 8 bits, [2, heads, tokens, head_size]."""
        values: npt.NDArray[np.float32] = self.to_step().values(layer, row) * self._scales[layer]
        return values

    def truncate(self, length: int) -> None:
        """Removes the tokens of every row beyond the first `length`."""
        self._codes.truncate(length)
        if (read := self._read_here()) is not None:
            read[1].truncate(length)

    def keep_tokens(self, slots: npt.NDArray[np.int64]) -> None:
        """Keeps these tokens of the only row and moves them together; see `KeyValueCache.keep_tokens`.

        Raises:
            ValueError: the row has been stepped.
        """
        self.to_read().keep_tokens(slots)
        moved = slots != np.arange(len(slots))
        self._codes.truncate(int(moved.argmax()) if moved.any() else len(slots))

    def copy_from(self, source: "QuantizedCache", length: int) -> None:
        """Replaces the only row of this cache by the first `length` tokens of another cache's only row."""
        read = source._read_here()  # noqa: SLF001 -- of the same class
        if read is None or read[1].lengths[0] < length:
            self._codes.copy_from(source.to_step(), length)
            self._forget(0)
            return
        codes = source._codes  # noqa: SLF001 -- as above
        self._codes.copy_from(codes, min(int(codes.lengths[0]), length))
        self._reading.begin(self._first).copy_from(read[1], length)

    def move(self, source: int, target: int, *, gives_back: bool = False) -> None:
        """Replaces the tokens of the row `target` by those of the row `source`; see `KeyValueCache.move`."""
        self._forget(target)
        self._quantize()
        if gives_back:
            self._forget(source)
        self._codes.move(source, target, gives_back=gives_back)

    def give_back(self) -> int:
        """Gives the system back the memory of tokens that rows hold no more; see `KeyValueCache.give_back`."""
        return self._codes.give_back() + self._reading.give_back()

    def keep(self, rows: Sequence[int]) -> "QuantizedCache":
        """Returns a cache of these rows alone, moved to the front of the same memory; see `KeyValueCache.keep`."""
        self._quantize()
        if (read := self._read_here()) is not None and list(rows[: read[0] + 1]) != list(range(read[0] + 1)):
            self._reading.row = None
        return self._over(self._codes.keep(rows))

    def _over(self, codes: KeyValueCache, index: int = 0) -> "QuantizedCache":
        """Returns a cache of some of the rows, from number `index` on."""
        return QuantizedCache(codes, self._scales, self._reading, self._first + index)

    def _read_here(self) -> tuple[int, KeyValueCache] | None:
        """Returns the row that was read last and its float32 cache, if it is one of these."""
        row, cache = self._reading.row, self._reading.cache
        if row is None or cache is None or not self._first <= row < self._first + self.batch_size:
            return None
        return row - self._first, cache

    def _forget(self, row: int) -> None:
        """Drops what was read of a row."""
        if self._reading.row == self._first + row:
            self._reading.row = None

    def _quantize(self) -> None:
        """Quantizes what has been read of these rows."""
        if self._read_here() is not None:
            self._reading.quantize()
