"""The mover of tokens within a device's memory, by a graph of one operator."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cuda.graphs import MOVE, open_graph
from biogpt_onnx.runtime.ort.protocols import OnnxRuntime, OrtValue

_HALF_BYTES = np.dtype(np.float16).itemsize
_NUMBERS_OF_A_WORD = np.dtype(np.int64).itemsize // _HALF_BYTES

_MOST_WORDS = 2**31 - 1
"""Most words that are moved in one run, because CUDA's Gather counts them in 32 bits."""


class TokenMover:
    """A mover that gathers tokens from one place of a device's memory into another.

    Args:
        onnxruntime: the module `onnxruntime`.
        provider: execution provider of the device.
        device: name of the device's memory.
        device_lock: lock that is held while the device works; see `DeviceSession`.
    """

    def __init__(
        self, onnxruntime: OnnxRuntime, provider: str, device: str, device_lock: AbstractContextManager[object]
    ) -> None:
        self._session = open_graph(onnxruntime, MOVE, provider)
        self._ort_value = onnxruntime.OrtValue
        self._device, self._lock = device, device_lock

    def move(self, source: int, source_shape: Sequence[int], target: int, indices: npt.NDArray[np.int64]) -> None:
        """Fills a part of memory with tokens of another; the two must not overlap.

        Args:
            source: address of the tokens to read, [blocks, tokens, features] in half precision.
            source_shape: blocks, tokens and features; the features are a multiple of 4.
            target: address of the memory to fill, [blocks, len(indices), features].
            indices: indices of the tokens to move, [moved].
        """
        blocks, tokens, features = source_shape
        at_once = max(1, _MOST_WORDS // (max(tokens, len(indices)) * features // _NUMBERS_OF_A_WORD))
        with self._lock:
            value = self._ort_value.ortvalue_from_numpy(indices, self._device, 0)
            for first in range(0, blocks, at_once):
                shape = (min(at_once, blocks - first), tokens, features)
                before = first * features * _HALF_BYTES
                self._run(source + before * tokens, shape, target + before * len(indices), value)

    def _run(self, source: int, source_shape: Sequence[int], target: int, indices: OrtValue) -> None:
        blocks, tokens, features = source_shape
        words = features // _NUMBERS_OF_A_WORD
        binding = self._session.io_binding()
        binding.bind_input("source", self._device, 0, np.int64, [blocks, tokens, words], source)
        binding.bind_ortvalue_input("indices", indices)
        binding.bind_output("target", self._device, 0, np.int64, [blocks, indices.shape()[0], words], target)
        self._session.run_with_iobinding(binding)

    def clear(self, target: int, target_shape: Sequence[int]) -> None:
        """Fills a part of memory, [blocks, tokens, features] in half precision at this address, with zeros."""
        blocks, tokens, features = target_shape
        with self._lock:
            zeros = self._ort_value.ortvalue_from_numpy(np.zeros((blocks, 1, features), np.float16), self._device, 0)
            self.move(zeros.data_ptr(), (blocks, 1, features), target, np.zeros(tokens, dtype=np.int64))

    def read(self, source: int, source_shape: Sequence[int], indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float16]:
        """Returns tokens of a part of memory, copied to the host, [blocks, len(indices), features]."""
        blocks, _, features = source_shape
        shape = [blocks, len(indices), features]
        if len(indices) == 0:
            return np.empty(shape, dtype=np.float16)  # memory of no size has no address
        with self._lock:
            target = self._ort_value.ortvalue_from_shape_and_type(shape, np.float16, self._device, 0)
            self.move(source, source_shape, target.data_ptr(), indices)
            return np.array(target.numpy(), dtype=np.float16)
