"""A sequence while it is being generated."""

from dataclasses import dataclass, field
from typing import Literal

FinishReason = Literal["eos", "length", "stop"]


@dataclass
class SequenceState:
    """One row of a search.

    Attributes:
        prompt_ids: what the model was given.
        max_new_tokens: most tokens that this row may get.
        token_ids: new tokens so far, the ending one included.
        score: sum of the new tokens' log-probabilities, in nats.
        finish_reason: why it ended; None while it goes on.
    """

    prompt_ids: tuple[int, ...]
    max_new_tokens: int
    token_ids: list[int] = field(default_factory=list)
    score: float = 0.0
    finish_reason: FinishReason | None = None
