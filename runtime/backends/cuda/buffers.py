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
"""Most idle buffers that are kept for later leases. Each may be gigabytes, so they are freed when memory is missing."""


class CacheBuffer:
    """A block of a device's memory for the keys and values of several rows, in half precision.

    ONNX Runtime's Python API gives no view of a part of a tensor, so parts are named by their addresses.

    Attributes:
        shape: [layers, 2, rows, heads, capacity, head_size], keys at index 0 of the second axis, values at 1.
        number: number that no other buffer has or had; it identifies the CUDA graph captured over this memory.
        step: a session's step over the whole buffer; None before the first.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- the place, size and number of the block
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
        """Number of rows that it has room for."""
        return self.shape[2]

    @property
    def capacity(self) -> int:
        """Number of tokens that a row has room for."""
        return self.shape[4]

    @property
    def blocks(self) -> tuple[int, int, int]:
        """Shape of the buffer with layers, parts, rows and heads in one axis, [blocks, capacity, head_size]."""
        layers, parts, rows, heads, capacity, size = self.shape
        return layers * parts * rows * heads, capacity, size

    def part_shape(self, rows: int) -> list[int]:
        """Returns the shape of a layer's keys or values for so many rows, [rows, heads, capacity, head_size]."""
        return [rows, *self.shape[3:]]

    def address(self, layer: int, part: int, row: int) -> int:
        """Returns the address at which a layer's keys (0) or values (1) begin, from this row on."""
        elements = ((layer * 2 + part) * self.rows + row) * int(np.prod(self.shape[3:]))
        return self._start + np.dtype(np.float16).itemsize * elements


class Lease:
    """A lease of a buffer, which returns to the pool when nothing refers to the lease any more.

    Attributes:
        buffer: buffer in use.
    """

    def __init__(self, buffer: CacheBuffer, pool: "BufferPool") -> None:
        self.buffer = buffer
        weakref.finalize(self, pool.give_back, buffer)


class BufferPool:
    """A pool of buffers of a few sizes, reused so that addresses stay equal and captured CUDA graphs stay valid.

    Args:
        onnxruntime: the module `onnxruntime`.
        device: name of the device's memory.
        architecture: sizes of the model.
        mover: mover of tokens, which fills new buffers with zeros.
        device_lock: lock that is held while the device allocates; see `DeviceSession`.
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
        # The buffer that was returned last is the last.
        self._idle: OrderedDict[int, CacheBuffer] = OrderedDict()
        # Reentrant, because a finalizer may run at any moment, within any of these methods too.
        self._lock = threading.RLock()
        self._last_number = 0
        self._dropped: list[int] = []
        self._most_idle = _MOST_IDLE

    def close(self) -> None:
        """Frees the idle buffers; those in use are freed as soon as they are returned."""
        with self._lock:
            self._most_idle = 0
            self._drop_all()

    def lease(self, rows: int, capacity: int) -> Lease:
        """Returns a buffer with room for at least so many rows and tokens; it holds finite numbers, old ones or zeros.

        Raises:
            DeviceMemoryError: the memory is not available.
        """
        rows, capacity = _next_power_of_two(rows), _next_power_of_two(max(capacity, _LEAST_CAPACITY))
        with self._lock:
            for buffer in list(self._idle.values()):
                if (buffer.rows, buffer.capacity) == (rows, capacity):
                    del self._idle[buffer.number]
                    return Lease(buffer, self)
            self._last_number += 1
            number = self._last_number
        try:
            buffer = self._allocate(rows, capacity, number)
        except MemoryError:
            # The memory of idle buffers may be enough.
            if not self._drop_all():
                raise
            buffer = self._allocate(rows, capacity, number)
        return Lease(buffer, self)

    def give_back(self, buffer: CacheBuffer) -> None:
        """Keeps a buffer for the next lease of its size."""
        with self._lock:
            self._idle[buffer.number] = buffer
            while len(self._idle) > self._most_idle:
                self._drop(self._idle.popitem(last=False)[1])

    def take_dropped(self) -> list[int]:
        """Returns the numbers of dropped buffers that had steps, each once."""
        with self._lock:
            dropped, self._dropped = self._dropped, []
            return dropped

    def _allocate(self, rows: int, capacity: int, number: int) -> CacheBuffer:
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
        # Nothing is captured over a buffer without a step.
        if buffer.step is not None:
            self._dropped.append(buffer.number)


def _next_power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
