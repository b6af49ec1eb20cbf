"""The length of the pieces in which a prompt is read between the steps of running rows, learned from what they took."""

import math
from collections import deque
from statistics import median

from biogpt_onnx.runtime.backends.chunks import CHUNK_TOKENS, last_cut

MOST_TOKENS = 128
"""Most tokens of a piece while rows are running, whose tokens wait for it."""

LEAST_TOKENS = 4
"""Fewest tokens of a piece, unless the prompt has fewer left; as many as `next_chunk` needs."""

_LONGEST_IN_STEPS = 1.3
"""Time of a piece in steps of a full batch.

A token that waits for a piece and such a step comes after 2.3 times that of the step, so that it seldom takes more than
2.5 times where single passes take longer than most.
"""

_ROWS_OF_WEIGHTS = 6
"""Number of rows that would take as long as what a step takes whatever its rows: to read the weights."""

_MANY, _TOKENS_WHERE_MANY_WAIT = 2, 64
"""Number of further prompts that are many, and fewest tokens of a piece then: short ones cost half as much again."""

_WELL_BELOW = 0.8
"""Share of the longest time up to which pieces are clearly shorter, so that longer ones are tried."""

_SAMPLES = 3
"""Number of pieces, and of steps, whose median counts: one that was held up by something else changes nothing."""

_MOST_GROWTH, _MOST_SHRINKAGE = 1.25, 0.5
"""Bounds of the change of the length at a time. What is too long is felt by all, so that it is corrected faster."""


_REMEMBERED = 50
"""Number of times that something is learned for which pieces do not grow again to a length that took too long.

Lengths differ by several tokens, as a prompt may be cut in certain places alone: one may be clearly short, and the next
too long. In the end it is tried again, because the machine may have become faster.
"""

_TINY = 1e-9
"""Stands for a time or a ratio of 0, as a coarse clock may measure it."""


def _first_guess(max_rows: int) -> int:
    """Returns the tokens of a piece that takes about 1.3 steps of so many rows, as measured on two cores."""
    return 3 + 3 * max_rows


class PieceLength:
    """The length of the next piece of a prompt: one that takes at most 1.3 times as long as a step of a full batch.

    It is a full batch's step that those who run must expect in any case. Measured against the short step of a single
    row, pieces would be so short that two callers together would be slower than one after the other.

    Where further prompts wait to be read, it is as many times longer as there are prompts to be read, and not short if
    they are many. They wait for their first token as the running rows do for their next, and a prompt is read faster in
    few pieces: in short ones, rows would join so slowly that hardly any ran together.

    It is told what pieces and steps took, and corrects a guess by a factor that it learns from the medians of a few.

    Args:
        max_rows: number of rows of a full batch.
    """

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._factor = 1.0
        self._num_rows = 0
        self._steps: deque[float] = deque(maxlen=_SAMPLES)
        self._ratios: list[float] = []
        self._too_long, self._remembered = MOST_TOKENS + 1, 0

    def most_tokens(self, num_rows: int, num_waiting: int = 0) -> int:
        """Returns the most tokens of the next piece.

        Args:
            num_rows: number of rows that are running, which wait for it.
            num_waiting: number of prompts that wait to be read after the one that is read.
        """
        if not num_rows:
            return CHUNK_TOKENS
        return longer_where_others_wait(self._length(), num_waiting)

    def note_step(self, num_rows: int, seconds: float) -> None:
        """Notes the time of a step.

        Args:
            num_rows: number of rows that got a token.
            seconds: its time.
        """
        if num_rows != self._num_rows:
            self._num_rows = num_rows
            self._steps.clear()
        self._steps.append(seconds)

    def note_piece(self, num_rows: int, tokens: int, seconds: float) -> None:
        """Notes the time of a piece; of one that is longer than where nothing waits, nothing is learned.

        Args:
            num_rows: number of rows that were running meanwhile.
            tokens: number of its tokens.
            seconds: its time.
        """
        if not num_rows or num_rows != self._num_rows or tokens > self.most_tokens(num_rows):
            return
        full = (_ROWS_OF_WEIGHTS + self._max_rows) / (_ROWS_OF_WEIGHTS + num_rows) * median(self._steps)
        ratio = seconds / max(_LONGEST_IN_STEPS * full, _TINY)
        # A piece that is shorter than asked for, as a prompt's last may be, says nothing of longer ones.
        if tokens < self.most_tokens(num_rows) and ratio < 1:
            return
        self._ratios.append(ratio)
        if len(self._ratios) == _SAMPLES:
            self._learn(median(self._ratios))
            self._ratios.clear()

    def _length(self) -> float:
        return within_bounds(self._factor * _first_guess(self._max_rows))

    def _learn(self, ratio: float) -> None:
        """Changes the factor by the time of the last pieces, divided by the longest that they may take."""
        self._remember(ratio)
        if _WELL_BELOW <= ratio <= 1:
            return
        # Aims between the two. Growth is cautious, by the root: too long a piece is worse than one that is too short.
        change = (1 + _WELL_BELOW) / 2 / max(ratio, _TINY)
        change = max(_MOST_SHRINKAGE, change) if ratio > 1 else min(math.sqrt(change), _MOST_GROWTH)
        length = self._length() * change if ratio > 1 else min(self._length() * change, self._too_long - 1)
        self._factor = within_bounds(length) / _first_guess(self._max_rows)

    def _remember(self, ratio: float) -> None:
        """Notes the length of the last pieces if they took too long, and forgets it after some time."""
        self._remembered -= 1
        if ratio > 1:
            self._too_long, self._remembered = longer_where_others_wait(self._length(), 0), _REMEMBERED
        elif not self._remembered:
            self._too_long = MOST_TOKENS + 1


def longer_where_others_wait(length: float, num_waiting: int) -> int:
    """Returns the most tokens of a piece, a number at whose multiples a prompt may be cut.

    Where further prompts wait to be read, it is as many times longer as there are prompts to be read, and not short if
    they are many.

    Args:
        length: number of tokens, within the bounds, where nothing waits.
        num_waiting: number of prompts that wait to be read after the one that is read.
    """
    length *= 1 + num_waiting
    if num_waiting >= _MANY:
        length = max(length, _TOKENS_WHERE_MANY_WAIT)
    return max(LEAST_TOKENS, last_cut(round(min(length, MOST_TOKENS))))


def within_bounds(length: float) -> float:
    """Returns a number of tokens that a piece may have."""
    return min(max(LEAST_TOKENS, length), MOST_TOKENS)
