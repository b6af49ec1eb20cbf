"""Rules against repetition."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.processors.protocol import LARGEST
from biogpt_onnx.runtime.decoding.state import SequenceState


@dataclass(frozen=True)
class RepetitionPenalty:
    """A rule that makes tokens that have appeared, in the prompt too, less likely; more likely with a penalty below 1.

    Positive logits are divided by the penalty and negative ones multiplied. Source: Keskar et al. 2019,
    arXiv:1909.05858.
    """

    needs_all_logits: ClassVar[bool] = True
    penalty: float

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        penalty = min(max(self.penalty, 1 / LARGEST), LARGEST)
        for state, row in zip(states, logits, strict=True):
            # A token that appears twice is read twice before either is written, so it is penalised once.
            seen = row[state.ids]
            row[state.ids] = np.where(seen < 0, seen * penalty, seen / penalty)


@dataclass(frozen=True)
class NoRepeatNgram:
    """A rule that forbids tokens that would complete a second copy of any `size` tokens, the prompt's included.

    Source: Paulus et al. 2017, arXiv:1705.04304, section 2.5.
    """

    needs_all_logits: ClassVar[bool] = True
    size: int

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        for state, row in zip(states, logits, strict=True):
            row[self._completing(state.ids)] = -np.inf

    def _completing(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        # The tokens that came next wherever the last `size - 1` tokens occurred before.
        begun = ids[max(0, len(ids) - self.size + 1) :]
        ngrams = max(0, len(ids) - self.size + 1)
        alike = np.ones(ngrams, dtype=np.bool_)
        for offset, token in enumerate(begun.tolist()):
            alike &= ids[offset : offset + ngrams] == token
        return ids[self.size - 1 :][alike]


@dataclass(frozen=True)
class OccurrencePenalty:
    """A rule that makes tokens less likely that are among the new ones, the more often the less.

    From their logits is subtracted `presence`, and `frequency` for each time; numbers below 0 make them likelier. The
    prompt does not count. Source: OpenAI's reference of the completions API, "Frequency and presence penalties".
    """

    needs_all_logits: ClassVar[bool] = True
    presence: float
    frequency: float

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        for state, row in zip(states, logits, strict=True):
            tokens, counts = np.unique(state.ids[len(state.prompt_ids) :], return_counts=True)
            row[tokens] -= (self.presence + self.frequency * counts).astype(np.float32)
