"""A step over fixed memory: a pass of one token for every row, which can be captured and replayed as a CUDA graph."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cuda.buffers import CacheBuffer
from biogpt_onnx.runtime.backends.cuda.outputs import PassOutputs
from biogpt_onnx.runtime.ort.protocols import IoBinding, OnnxRuntime


class DeviceStep:
    """A step of all rows of a cache buffer.

    Its inputs and outputs stay at their addresses, because a CUDA graph repeats the addresses that it was captured
    with.

    Attributes:
        outputs: outputs of the step, valid until the next run.

    Args:
        onnxruntime: the module `onnxruntime`.
        run: function that runs the causal graph over `binding`.
        binding: binding of the graph, to which the cache is bound already.
        buffer: cache buffer of the rows.
        device: name of the device's memory.
        outputs: outputs with as many rows as the buffer.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- the graph, and all that is bound to it
        self,
        onnxruntime: OnnxRuntime,
        run: Callable[[], object],
        binding: IoBinding,
        buffer: CacheBuffer,
        device: str,
        outputs: PassOutputs,
    ) -> None:
        rows, ort_value = buffer.rows, onnxruntime.OrtValue
        self._run = run
        # A row that is not requested gets token 0 at position 0, where its write does not matter.
        self._ids, self._positions = (np.zeros((rows, 1), dtype=np.int64) for _ in range(2))
        self._device_ids = ort_value.ortvalue_from_numpy(self._ids.copy(), device, 0)
        self._device_positions = ort_value.ortvalue_from_numpy(self._positions.copy(), device, 0)
        self.outputs = outputs
        # The only input that is read on the CPU. A captured graph keeps its value, so that it must be the largest.
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
