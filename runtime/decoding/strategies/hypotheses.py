"""The finished sequences of a beam search, and whether a better one may still come.

Ranking, and when to stop, are those of transformers, which the search is held against.
"""

from collections.abc import Sequence

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.state import SequenceState


class Hypotheses:
    """The best finished sequences of one prompt.

    As many are kept as there are beams. `early_stopping` True stops when there are enough; False when those still
    running, at the length that they have now, are no better than the worst kept; "never" when they could not become
    better at any length.

    Args:
        config: how sequences are ranked, how many are kept, and when to stop.
        max_length: most new tokens of a sequence.
    """

    def __init__(self, config: GenerationConfig, max_length: int) -> None:
        self._size = config.num_beams
        self._length_penalty = config.length_penalty
        self._early_stopping = config.early_stopping
        self._max_length = max_length
        self._kept: list[SequenceState] = []

    @property
    def best_first(self) -> Sequence[SequenceState]:
        """The finished sequences; their scores are those by which they are ranked."""
        return self._kept

    def add(self, state: SequenceState) -> None:
        """Takes a finished sequence, whose score is the sum of its log-probabilities, if it is among the best."""
        state.score = self._ranked(state.score, max(1, state.num_new_tokens))
        # Of equal scores the older one stays before.
        self._kept = sorted([*self._kept, state], key=lambda kept: -kept.score)[: self._size]

    def may_improve(self, best_running: float, length: int) -> bool:
        """Whether the search should go on.

        Args:
            best_running: largest sum of log-probabilities of the sequences that go on.
            length: new tokens that they have.
        """
        if len(self._kept) < self._size:
            return True
        if self._early_stopping is True:
            return False
        if self._early_stopping == "never" and self._length_penalty > 0:
            length = self._max_length
        return self._ranked(best_running, length) > self._kept[-1].score

    def _ranked(self, log_probability: float, length: int) -> float:
        return float(log_probability / length**self._length_penalty)
