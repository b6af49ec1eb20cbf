"""Cache buffers: blocks of a device's memory that hold caches, and the pool that reuses them."""

import threading
import weakref
from collections import OrderedDict
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from biogpt_onnx.runtime.backends.cuda.memory import device_memory
from biogpt_onnx.runtime.backends.cuda.token_mover import TokenMover
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.ort.protocols import OnnxRuntime

_LEAST_CAPACITY = 256
_MOST_IDLE = 4
"""Buffers that are kept for the next generation. Each may be gigabytes, so they go where memory is missing."""


class CacheBuffer:
    """Room for the keys and values of several rows, [layers, 2, rows, heads, capacity, head_size] in half precision.

    ONNX Runtime's Python gives no view of a part of a tensor, so parts are named by their addresses.

    Attributes:
        shape: as above.
        number: that no other buffer has or had; it names what is captured over this memory.
        step: what a session has bound to the whole of it for steps of one token; None before the first.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- where it is, how large, and what it is called
        self, onnxruntime: OnnxRuntime, device: str, architecture: Architecture, rows: int, capacity: int, number: int
    ) -> None:
        heads, size = architecture.num_heads, architecture.head_size
        self.shape = (architecture.num_layers, 2, rows, heads, capacity, size)
        self.number = number
        self.step: Any = None
        gigabytes = np.dtype(np.float16).itemsize * np.prod(self.shape, dtype=float) / 1e9
        with device_memory(f"a cache of {gigabytes:.1f} GB for {rows} rows of {capacity} tokens"):
            self._value = onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(self.shape), np.float16, device, 0)
        self._start: int = self._value.data_ptr()

    @property
    def rows(self) -> int:
        """Rows that it has room for."""
        return self.shape[2]

    @property
    def capacity(self) -> int:
        """Tokens that a row has room for."""
        return self.shape[4]

    @property
    def blocks(self) -> tuple[int, int, int]:
        """The shape of it all with layers, parts, rows and heads taken together, [blocks, capacity, head_size]."""
        layers, parts, rows, heads, capacity, size = self.shape
        return layers * parts * rows * heads, capacity, size

    def part_shape(self, rows: int) -> list[int]:
        """The shape of a layer's keys or values for so many rows, [rows, heads, capacity, head_size]."""
        return [rows, *self.shape[3:]]

    def address(self, layer: int, part: int, row: int) -> int:
        """Where a layer's keys (0) or values (1) begin, from this row on."""
        elements = ((layer * 2 + part) * self.rows + row) * int(np.prod(self.shape[3:]))
        return self._start + np.dtype(np.float16).itemsize * elements


class Lease:
    """A buffer in use; it goes back to the pool when nothing refers to the lease any more.

    Attributes:
        buffer: the buffer.
    """

    def __init__(self, buffer: CacheBuffer, pool: "BufferPool") -> None:
        self.buffer = buffer
        weakref.finalize(self, pool.give_back, buffer)


class BufferPool:
    """Takes buffers of a few sizes again and again, so that their addresses stay and what is captured over them holds.

    Args:
        onnxruntime: ONNX Runtime.
        device: the memory's name there.
        architecture: the model's shape.
        mover: writes into that memory.
        device_lock: held while the device allocates; see `DeviceSession`.
    """

    def __init__(
        self,
        onnxruntime: OnnxRuntime,
        device: str,
        architecture: Architecture,
        mover: TokenMover,
        device_lock: AbstractContextManager[object],
    ) -> None:
        self._onnxruntime, self._device, self._architecture = onnxruntime, device, architecture
        self._mover, self._device_lock = mover, device_lock
        # The one given back last is the last.
        self._idle: OrderedDict[int, CacheBuffer] = OrderedDict()
        # A finalizer may run at any moment, within any of these methods too.
        self._lock = threading.RLock()
        self._made = 0
        self._dropped: list[int] = []

    def lease(self, rows: int, capacity: int) -> Lease:
        """A buffer with room for at least so many rows and tokens. What it holds are numbers, of an earlier lease or 0.

        Raises:
            DeviceMemoryError: the memory cannot be had.
        """
        rows, capacity = _next_power_of_two(rows), _next_power_of_two(max(capacity, _LEAST_CAPACITY))
        with self._lock:
            for buffer in list(self._idle.values()):
                if (buffer.rows, buffer.capacity) == (rows, capacity):
                    del self._idle[buffer.number]
                    return Lease(buffer, self)
            self._made += 1
            number = self._made
        try:
            buffer = self._made_buffer(rows, capacity, number)
        except MemoryError:
            # What is kept for later may be what is missing now.
            if not self._drop_all():
                raise
            buffer = self._made_buffer(rows, capacity, number)
        return Lease(buffer, self)

    def give_back(self, buffer: CacheBuffer) -> None:
        """Keeps a buffer for the next one who wants its size."""
        with self._lock:
            self._idle[buffer.number] = buffer
            while len(self._idle) > _MOST_IDLE:
                self._drop(self._idle.popitem(last=False)[1])

    def take_dropped(self) -> list[int]:
        """The numbers of buffers that had steps, are no more and have not been told of yet."""
        with self._lock:
            dropped, self._dropped = self._dropped, []
            return dropped

    def _made_buffer(self, rows: int, capacity: int, number: int) -> CacheBuffer:
        with self._device_lock:
            buffer = CacheBuffer(self._onnxruntime, self._device, self._architecture, rows, capacity, number)
            # Stale memory may hold NaN, which a multiplicative mask would propagate.
            with device_memory("what fills a cache"):
                self._mover.clear(buffer.address(0, 0, 0), buffer.blocks)
            return buffer

    def _drop_all(self) -> int:
        with self._lock:
            count = len(self._idle)
            for buffer in self._idle.values():
                self._drop(buffer)
            self._idle.clear()
            return count

    def _drop(self, buffer: CacheBuffer) -> None:
        # Over one that was only read into, nothing was captured.
        if buffer.step is not None:
            self._dropped.append(buffer.number)


def _next_power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
