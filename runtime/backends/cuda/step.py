"""One token for every row, over fixed memory, so that the whole step can be captured and replayed."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cuda.buffers import CacheBuffer
from biogpt_onnx.runtime.backends.cuda.outputs import DeviceOutputs


class DeviceStep:
    """A step of all rows of a buffer.

    Its inputs and outputs stay where they are, which is what a CUDA graph needs: such a graph repeats the addresses
    that it was captured with.

    Attributes:
        outputs: what it says, until the next run.

    Args:
        onnxruntime: ONNX Runtime.
        run: runs the causal graph over `binding`.
        binding: the graph's places, of which those of the cache are bound.
        buffer: the cache.
        device: the memory's name.
        outputs: for as many tokens as the buffer has rows.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- what is bound to what
        self,
        onnxruntime: ModuleType,
        run: Callable[[], object],
        binding: Any,  # noqa: ANN401 -- ONNX Runtime has no types
        buffer: CacheBuffer,
        device: str,
        outputs: DeviceOutputs,
    ) -> None:
        rows, ort_value = buffer.rows, onnxruntime.OrtValue
        self._run = run
        # A row that is not asked for has token 0 at position 0: it writes where nothing of it matters.
        self._ids, self._positions = (np.zeros((rows, 1), dtype=np.int64) for _ in range(2))
        self._device_ids = ort_value.ortvalue_from_numpy(self._ids.copy(), device, 0)
        self._device_positions = ort_value.ortvalue_from_numpy(self._positions.copy(), device, 0)
        self.outputs = outputs
        # The one input that is read on the CPU, and so kept in a captured graph as it is now: the most it can be.
        total = np.array(buffer.capacity, dtype=np.int32)
        binding.bind_ortvalue_input(bundle.INPUT_IDS, self._device_ids)
        binding.bind_ortvalue_input(bundle.POSITION_IDS, self._device_positions)
        binding.bind_ortvalue_input(bundle.TOTAL_SEQUENCE_LENGTH, ort_value.ortvalue_from_numpy(total))
        binding.bind_ortvalue_input(
            bundle.LOGITS_INDICES, ort_value.ortvalue_from_numpy(np.arange(rows, dtype=np.int64), device, 0)
        )
        outputs.bind(binding)

    def run(self, rows: Sequence[int], token_ids: npt.NDArray[np.int64], positions: npt.NDArray[np.int64]) -> None:
        """Appends a token [rows] to each of these rows at its position [rows]."""
        for device_values, values, given in (
            (self._device_ids, self._ids, token_ids),
            (self._device_positions, self._positions, positions),
        ):
            values[:] = 0
            values[list(rows), 0] = given
            device_values.update_inplace(values)
        self.outputs.renew()
        self._run()
