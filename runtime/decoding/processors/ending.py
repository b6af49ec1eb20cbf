"""Rules about how a sequence begins and ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.state import SequenceState


@dataclass(frozen=True)
class MinNewTokens:
    """Forbids the end of a sequence before it has `min_new_tokens` tokens."""

    needs_all_logits: ClassVar[bool] = True
    min_new_tokens: int
    eos_token_id: int

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """See `LogitsProcessor`."""
        short = [row for row, state in enumerate(states) if state.num_new_tokens < self.min_new_tokens]
        logits[short, self.eos_token_id] = -np.inf


@dataclass(frozen=True)
class ForcedBos:
    """Makes this the first new token of a prompt of one token."""

    needs_all_logits: ClassVar[bool] = True
    token_id: int

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """See `LogitsProcessor`."""
        _force(self.token_id, logits, [row for row, state in enumerate(states) if len(state.ids) == 1])


@dataclass(frozen=True)
class ForcedEos:
    """Makes this the last token that a sequence may get."""

    needs_all_logits: ClassVar[bool] = True
    token_id: int

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """See `LogitsProcessor`."""
        last = [row for row, state in enumerate(states) if state.num_new_tokens == state.max_new_tokens - 1]
        _force(self.token_id, logits, last)


def _force(token_id: int, logits: npt.NDArray[np.float32], rows: list[int]) -> None:
    # Even where an earlier rule has forbidden the token.
    logits[rows] = -np.inf
    logits[rows, token_id] = 0
