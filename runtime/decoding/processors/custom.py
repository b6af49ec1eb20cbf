"""Rules of the caller's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.config import CustomProcessor
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.errors import ConfigError


@dataclass(frozen=True)
class CustomRule:
    """A rule that replaces each row of logits by the result of the caller's function.

    Attributes:
        function: the caller's function, see `CustomProcessor`. Its ids are read-only; its logits are a copy, which it
            may change.
        position: index of the function in `logits_processors`, for error messages.
    """

    needs_all_logits: ClassVar[bool] = True
    function: CustomProcessor
    position: int

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`.

        Raises:
            ConfigError: the function returned something other than logits.
        """
        for state, row in zip(states, logits, strict=True):
            ids = state.ids.view()
            ids.flags.writeable = False
            row[:] = self._checked(self.function(ids, row.copy()), row.shape)

    def _checked(self, result: object, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        if not isinstance(result, np.ndarray):
            raise self._error("None" if result is None else f"a {type(result).__name__}", shape)
        if result.shape != shape or not np.issubdtype(result.dtype, np.floating):
            raise self._error(f"an array of {result.dtype} of shape {result.shape}", shape)
        with np.errstate(over="ignore"):  # values beyond float32 become infinite, and are refused as such
            logits = result.astype(np.float32, copy=False)
        if not logits.max() < np.inf:  # also true for NaN, which max() propagates
            raise self._error("NaN or +inf", shape)
        return logits

    def _error(self, returned: str, shape: tuple[int, ...]) -> ConfigError:
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return ConfigError(
            f"logits_processors[{self.position}], {name}, returned {returned}: return the logits, an array of floats "
            f"of shape {shape} that holds numbers or -inf"
        )
