"""The length of the pieces that are read in the passes in which rows step, computed from what such passes took."""

from collections import deque
from statistics import median
from typing import NamedTuple

from biogpt_onnx.runtime.backends.chunks import CUT_TOKENS
from biogpt_onnx.runtime.decoding.batching.piece_length import longer_where_others_wait, within_bounds

_STEPS = 2.1
"""Time of a mixed pass in steps of the same rows, so that a token seldom takes more than 2.5 times as long.

Single passes may take longer than most, and tokens of a long piece longer than those of the one before.
"""

_FIRST_TOKENS, _TOKENS_OF_ROW = 18, 3
"""Tokens of the first piece, and those that each running row adds, as measured on two cores."""

_ROWS_OF_WEIGHTS = 9
"""Number of rows that would take as long as what a step takes whatever its rows: to read the weights."""

_TOKENS_OF_DOUBLE_TIME = 2000
"""Number of tokens behind which a further one takes twice the time, because of its attention to them."""

_MOST_GROWTH = 1.2
"""Growth of the length at a time, or one place to cut further where that is more.

Tokens of a longer piece take longer, as reading the weights hides fewer of them.
"""

_SAMPLES = 3
"""Number of passes of a kind whose median counts: one that was held up by something else changes nothing."""


class _Piece(NamedTuple):
    """A piece that was read: its number of tokens, and the seconds of each of them had it been the prompt's first."""

    tokens: int
    seconds_of_token: float


class MixedPieceLength:
    """The length of the next piece of a prompt that is read in one pass with a step of the running rows.

    The pass is to take at most 2.1 times as long as a step of the same rows. What it takes beyond a step is the time of
    the piece's tokens, which grows with the tokens before them. Both are known from the passes before.

    Where further prompts wait to be read, the piece is as many times longer as there are prompts to be read, and not
    short if they are many. They wait for their first token as the running rows do for their next, and a prompt is read
    faster in few pieces.
    """

    def __init__(self) -> None:
        self._steps: dict[int, deque[float]] = {}
        self._num_rows = 0
        self._pieces: deque[_Piece] = deque(maxlen=_SAMPLES)

    def most_tokens(self, num_rows: int, num_before: int = 0, num_waiting: int = 0) -> int:
        """Returns the most tokens of the next piece.

        Args:
            num_rows: number of rows that step in the same pass, at least one.
            num_before: number of the prompt's tokens that were read before.
            num_waiting: number of prompts that wait to be read after the one that is read.
        """
        return longer_where_others_wait(self._length(num_rows, num_before), num_waiting)

    def note_step(self, num_rows: int, seconds: float) -> None:
        """Notes the time of a step that read nothing, of at least one row."""
        self._num_rows = num_rows
        self._steps.setdefault(num_rows, deque(maxlen=_SAMPLES)).append(seconds)

    def note_piece(self, num_rows: int, num_before: int, tokens: int, seconds: float) -> None:
        """Notes the time of a pass that read a piece.

        Args:
            num_rows: number of rows that stepped in the same pass.
            num_before: number of the prompt's tokens that were read before.
            tokens: number of the piece's tokens.
            seconds: the pass's time.
        """
        # Of a piece that is much shorter than asked for, as a prompt's last may be, nothing is learned for longer ones.
        if self._steps and 2 * tokens > self._length(num_rows, num_before):
            beyond_step = max(0.0, seconds - self._step(num_rows))
            self._pieces.append(_Piece(tokens, beyond_step / tokens / _slowness(num_before)))

    def _length(self, num_rows: int, num_before: int) -> float:
        if not self._pieces:
            return float(_FIRST_TOKENS + _TOKENS_OF_ROW * num_rows)
        tokens = median(piece.tokens for piece in self._pieces)
        most = max(_MOST_GROWTH * tokens, tokens + CUT_TOKENS)
        seconds = median(piece.seconds_of_token for piece in self._pieces) * _slowness(num_before)
        budget = (_STEPS - 1) * self._step(num_rows)
        return within_bounds(most if most * seconds <= budget else budget / seconds)

    def _step(self, num_rows: int) -> float:
        """Returns the time of a step of so many rows, as measured or, failing that, by the last step of others.

        A server under load seldom takes steps in which nothing is read.
        """
        if num_rows in self._steps:
            return median(self._steps[num_rows])
        last = median(self._steps[self._num_rows])
        return (_ROWS_OF_WEIGHTS + num_rows) / (_ROWS_OF_WEIGHTS + self._num_rows) * last


def _slowness(num_before: int) -> float:
    return 1 + num_before / _TOKENS_OF_DOUBLE_TIME
