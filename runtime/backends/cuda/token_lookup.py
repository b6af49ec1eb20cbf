"""How likely given tokens are, computed where the logits are."""

from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt


class TokenLookup:
    """Computes log-probabilities of single tokens, so that no row of logits is brought to the CPU for them.

    Args:
        onnxruntime: ONNX Runtime.
        session: of the graph `SCORE`.
    """

    def __init__(self, onnxruntime: ModuleType, session: Any) -> None:  # noqa: ANN401 -- ONNX Runtime has no types
        self._session = session
        self._ort_value = onnxruntime.OrtValue

    def score(
        self,
        logits: Any,  # noqa: ANN401 -- as above
        rows: npt.NDArray[np.int64],
        tokens: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.float32]:
        """The log-probabilities of tokens [asked] in these rows [asked] of logits, in nats.

        Args:
            logits: float32 [rows, vocab] in the device's memory.
            rows: which row each token is looked up in.
            tokens: the tokens.
        """
        scores = np.empty(len(rows), dtype=np.float32)
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("logits", logits)
        for name, values in (("rows", rows), ("places", np.stack([rows, tokens], axis=1))):
            binding.bind_ortvalue_input(name, self._ort_value.ortvalue_from_numpy(values))
        binding.bind_ortvalue_output("log_probabilities", self._ort_value.ortvalue_from_numpy(scores))
        self._session.run_with_iobinding(binding)
        return scores
