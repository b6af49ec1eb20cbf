"""The length of the pieces in which a prompt is read while rows are running, learned from what they took."""

import math
from collections import deque
from dataclasses import dataclass
from statistics import median

from biogpt_onnx.runtime.backends.chunks import CHUNK_TOKENS

MOST_TOKENS = CHUNK_TOKENS
"""Most tokens of a piece, which is the length of all pieces while no rows are running."""

LEAST_TOKENS = 4
"""Fewest tokens of a piece, unless the prompt has fewer left."""

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


_TINY = 1e-9
"""Stands for a time or a ratio of 0, as a coarse clock may measure it."""


@dataclass(frozen=True)
class Bound:
    """The longest time of a pass that reads a piece, in steps, and a first guess of the piece that takes it.

    Attributes:
        steps: the longest time, in steps of the rows that it is measured by.
        of_full_batch: True to measure by a step of a full batch, False by a step of the rows that are running.
        guessed_tokens: tokens of the piece, as measured on two cores, but for those that each row adds.
    """

    steps: float
    of_full_batch: bool
    guessed_tokens: int


APART = Bound(steps=1.3, of_full_batch=True, guessed_tokens=3)
"""Bound of a piece between two steps: with the step, a token then comes after 2.3 times the time of a step.

It is a full batch's step that those who run must expect in any case. Measured by the short step of a single row, pieces
would be so short that two callers together would be slower than one after the other.
"""

MIXED = Bound(steps=2.3, of_full_batch=False, guessed_tokens=18)
"""Bound of a pass that reads a piece and steps the running rows, so that a token seldom takes more than 2.5 times as
long where single passes take longer than most. Weights are read once, which leaves enough time for a piece even beside
one row."""

_TOKENS_OF_ROW = 3
"""Tokens that can be read, in both bounds, for each row that the step has in addition."""


class PieceLength:
    """The length of the next piece of a prompt: one with which a pass takes at most the time of a `Bound`.

    Where further prompts wait to be read, it is as many times longer as there are prompts to be read, and not short if
    they are many. They wait for their first token as the running rows do for their next, and a prompt is read faster in
    few pieces: in short ones, rows would join so slowly that hardly any ran together.

    It is told what pieces and steps took, and corrects a guess by a factor that it learns from the medians of a few.

    Args:
        max_rows: number of rows of a full batch.
        bound: the longest time of a pass.
    """

    def __init__(self, max_rows: int, bound: Bound = APART) -> None:
        self._max_rows, self._bound = max_rows, bound
        self._factor = 1.0
        self._num_rows = 0
        self._steps: dict[int, deque[float]] = {}
        self._ratios: list[float] = []

    def most_tokens(self, num_rows: int, num_waiting: int = 0) -> int:
        """Returns the most tokens of the next piece.

        Args:
            num_rows: number of rows that are running, which wait for it.
            num_waiting: number of prompts that wait to be read after the one that is read.
        """
        if not num_rows:
            return MOST_TOKENS
        length = round(self._length(num_rows) * (1 + num_waiting))
        return min(length if num_waiting < _MANY else max(length, _TOKENS_WHERE_MANY_WAIT), MOST_TOKENS)

    def note_step(self, num_rows: int, seconds: float) -> None:
        """Notes the time of a step that read nothing.

        Args:
            num_rows: number of rows that got a token.
            seconds: its time.
        """
        self._num_rows = num_rows
        self._steps.setdefault(num_rows, deque(maxlen=_SAMPLES)).append(seconds)

    def note_piece(self, num_rows: int, tokens: int, seconds: float) -> None:
        """Notes the time of a pass that read a piece; of one longer than where nothing waits, nothing is learned.

        Args:
            num_rows: number of rows that were running meanwhile.
            tokens: number of the piece's tokens.
            seconds: the pass's time.
        """
        if not num_rows or not self._steps or tokens > self.most_tokens(num_rows):
            return
        ratio = seconds / max(self._bound.steps * self._step(self._measure(num_rows)), _TINY)
        # A piece that is shorter than asked for, as a prompt's last may be, says nothing of longer ones.
        if tokens < self.most_tokens(num_rows) and ratio < 1:
            return
        self._ratios.append(ratio)
        if len(self._ratios) == _SAMPLES:
            self._learn(num_rows, median(self._ratios))
            self._ratios.clear()

    def _measure(self, num_rows: int) -> int:
        return self._max_rows if self._bound.of_full_batch else num_rows

    def _step(self, num_rows: int) -> float:
        """Returns the time of a step of so many rows, as measured or, failing that, by the last step of others."""
        if num_rows in self._steps:
            return median(self._steps[num_rows])
        weights = _ROWS_OF_WEIGHTS
        return (weights + num_rows) / (weights + self._num_rows) * median(self._steps[self._num_rows])

    def _guess(self, num_rows: int) -> int:
        return self._bound.guessed_tokens + _TOKENS_OF_ROW * self._measure(num_rows)

    def _length(self, num_rows: int) -> float:
        return _within_bounds(self._factor * self._guess(num_rows))

    def _learn(self, num_rows: int, ratio: float) -> None:
        """Changes the factor by the time of the last passes, divided by the longest that they may take."""
        if _WELL_BELOW <= ratio <= 1:
            return
        # Aims between the two. Growth is cautious, by the root: too long a piece is worse than one that is too short.
        change = (1 + _WELL_BELOW) / 2 / max(ratio, _TINY)
        change = max(_MOST_SHRINKAGE, change) if ratio > 1 else min(math.sqrt(change), _MOST_GROWTH)
        self._factor = _within_bounds(self._length(num_rows) * change) / self._guess(num_rows)


def _within_bounds(length: float) -> float:
    return min(max(LEAST_TOKENS, length), MOST_TOKENS)
