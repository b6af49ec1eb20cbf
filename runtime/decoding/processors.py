"""Changes to the logits before a token is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.state import SequenceState


class LogitsProcessor(Protocol):
    """One rule about what may come next."""

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32]) -> None:
        """Changes logits [rows, vocab] in place, a row for each state."""
        ...


@dataclass(frozen=True)
class MinNewTokens:
    """Forbids the end of a sequence before it has `min_new_tokens` tokens."""

    min_new_tokens: int
    eos_token_id: int

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32]) -> None:
        """See `LogitsProcessor`."""
        short = [row for row, state in enumerate(states) if len(state.token_ids) < self.min_new_tokens]
        logits[short, self.eos_token_id] = -np.inf


def processors_for(config: GenerationConfig) -> list[LogitsProcessor]:
    """The rules that a configuration asks for, in the order in which they apply."""
    processors: list[LogitsProcessor] = []
    if config.min_new_tokens and config.eos_token_id is not None:
        processors.append(MinNewTokens(config.min_new_tokens, config.eos_token_id))
    return processors
