"""What a pass says of the tokens that were asked for, kept in a device's memory."""

from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.token_selector import TokenSelector

_ALL = slice(None)


class DeviceOutputs:
    """Logits and the likeliest token, for so many tokens.

    Attributes:
        logits: float32 [count, vocab], a value of ONNX Runtime's.

    Args:
        onnxruntime: ONNX Runtime.
        selector: a session that selects tokens; see `TokenSelector`.
        device: the memory's name.
        count: how many tokens.
        vocab_size: entries of a row of logits.
    """

    def __init__(
        self,
        onnxruntime: ModuleType,
        selector: Any,  # noqa: ANN401 -- ONNX Runtime has no types
        device: str,
        count: int,
        vocab_size: int,
    ) -> None:
        new = onnxruntime.OrtValue.ortvalue_from_shape_and_type
        self.logits = new([count, vocab_size], np.float32, device, 0)
        self._best_ids = new([count, 1], np.int64, device, 0)
        self._best_log_probabilities = new([count, 1], np.float32, device, 0)
        self._new_selector = partial(TokenSelector, onnxruntime, selector, self.logits, device)
        self._selector: TokenSelector | None = None

    def bind(self, binding: Any) -> None:  # noqa: ANN401 -- as above
        """Has a run of the chain graph write here."""
        binding.bind_ortvalue_output(bundle.LOGITS, self.logits)
        binding.bind_ortvalue_output(bundle.BEST_IDS, self._best_ids)
        binding.bind_ortvalue_output(bundle.BEST_LOG_PROBABILITIES, self._best_log_probabilities)

    def bring_logits(self, rows: Sequence[int] | slice = _ALL) -> npt.NDArray[np.float32]:
        """The logits of these tokens, [rows, vocab], brought to the CPU, to memory that may be changed."""
        return np.array(self.logits.numpy()[rows], dtype=np.float32)

    def bring_selected(
        self, count: int, rows: Sequence[int] | slice = _ALL
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The ids of their likeliest tokens and the log-probabilities in nats, [rows, `count` or more], likewise."""
        if count == 1:
            ids, log_probabilities = self._best_ids.numpy(), self._best_log_probabilities.numpy()
        else:
            self._selector = self._selector or self._new_selector()
            ids, log_probabilities = self._selector.select()
        return np.array(ids[rows]), np.array(log_probabilities[rows])
