"""Rules that forbid given tokens in any context."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.state import SequenceState


class SuppressTokens:
    """A rule that forbids tokens.

    Args:
        token_ids: ids of the tokens.
    """

    needs_all_logits = True

    def __init__(self, token_ids: Sequence[int]) -> None:
        self._token_ids = np.array(token_ids, dtype=np.int64)

    def __call__(self, _states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        logits[:, self._token_ids] = -np.inf


class BeginSuppressTokens:
    """A rule that forbids tokens as the first new one, or as the second one if the first is forced.

    Args:
        token_ids: ids of the tokens.
        has_forced_bos: True if the first new token of a prompt of one token is forced.
    """

    needs_all_logits = True

    def __init__(self, token_ids: Sequence[int], *, has_forced_bos: bool) -> None:
        self._token_ids = np.array(token_ids, dtype=np.int64)
        self._has_forced_bos = has_forced_bos

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        for state, row in zip(states, logits, strict=True):
            if state.num_new_tokens == (self._has_forced_bos and len(state.prompt_ids) == 1):
                row[self._token_ids] = -np.inf
