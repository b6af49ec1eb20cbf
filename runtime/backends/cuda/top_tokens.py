"""The likeliest tokens of each row, selected where the logits are."""

from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cuda.graphs import SELECTED


class TopTokens:
    """Selects from the logits of as many rows as it is bound to.

    Args:
        onnxruntime: ONNX Runtime.
        session: of the graph `SELECT`.
        logits: float32 [rows, vocab] in the device's memory.
        device: the memory's name.
    """

    def __init__(
        self,
        onnxruntime: ModuleType,
        session: Any,  # noqa: ANN401 -- ONNX Runtime has no types
        logits: Any,  # noqa: ANN401 -- likewise
        device: str,
    ) -> None:
        new, shape = onnxruntime.OrtValue.ortvalue_from_shape_and_type, [logits.shape()[0], SELECTED]
        self._session, self._binding = session, session.io_binding()
        self._ids = new(shape, np.int64, device, 0)
        self._log_probabilities = new(shape, np.float32, device, 0)
        self._binding.bind_ortvalue_input("logits", logits)
        self._binding.bind_ortvalue_output("ids", self._ids)
        self._binding.bind_ortvalue_output("log_probabilities", self._log_probabilities)

    def select(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The ids, the likeliest first, and their log-probabilities in nats, both [rows, SELECTED], on the CPU.

        On a device that is the CPU they hold until the next call.
        """
        self._session.run_with_iobinding(self._binding)
        return self._ids.numpy(), self._log_probabilities.numpy()
