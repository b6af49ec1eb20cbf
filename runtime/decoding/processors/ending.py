"""Rules for the beginning and the end of a sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.state import SequenceState


@dataclass(frozen=True)
class MinLength:
    """A rule that forbids the ending tokens before a sequence has `min_length` tokens, the prompt's included."""

    needs_all_logits: ClassVar[bool] = True
    min_length: int
    end_token_ids: tuple[int, ...]

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        short = [row for row, state in enumerate(states) if len(state.ids) < self.min_length]
        logits[np.ix_(short, self.end_token_ids)] = -np.inf


@dataclass(frozen=True)
class MinNewTokens:
    """A rule that forbids the ending tokens before a sequence has `min_new_tokens` new tokens."""

    needs_all_logits: ClassVar[bool] = True
    min_new_tokens: int
    end_token_ids: tuple[int, ...]

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        short = [row for row, state in enumerate(states) if state.num_new_tokens < self.min_new_tokens]
        logits[np.ix_(short, self.end_token_ids)] = -np.inf


@dataclass(frozen=True)
class ForcedBos:
    """A rule that forces the first new token of a prompt of one token."""

    needs_all_logits: ClassVar[bool] = True
    token_id: int

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        _force(self.token_id, logits, [row for row, state in enumerate(states) if len(state.ids) == 1])


@dataclass(frozen=True)
class ForcedEos:
    """A rule that forces the last new token that a sequence may get."""

    needs_all_logits: ClassVar[bool] = True
    token_id: int

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        last = [row for row, state in enumerate(states) if state.num_new_tokens == state.max_new_tokens - 1]
        _force(self.token_id, logits, last)


def _force(token_id: int, logits: npt.NDArray[np.float32], rows: list[int]) -> None:
    # The token is allowed even if an earlier rule has forbidden it.
    logits[rows] = -np.inf
    logits[rows, token_id] = 0
