"""A caller's own rule."""

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
    """Replaces each row by what the caller's function makes of it.

    Attributes:
        function: see `CustomProcessor`. Its ids cannot be changed; its logits are a copy, with which it may do as it
            likes.
        position: where it stands in `logits_processors`, for messages.
    """

    needs_all_logits: ClassVar[bool] = True
    function: CustomProcessor
    position: int

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """See `LogitsProcessor`.

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
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is judged as such
            logits = result.astype(np.float32, copy=False)
        if not logits.max() < np.inf:  # true of NaN as well, which max() hands on
            raise self._error("NaN or +inf", shape)
        return logits

    def _error(self, returned: str, shape: tuple[int, ...]) -> ConfigError:
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return ConfigError(
            f"logits_processors[{self.position}], {name}, returned {returned}: return the logits, an array of floats "
            f"of shape {shape} that holds numbers or -inf"
        )
