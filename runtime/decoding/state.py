"""A sequence while it is being generated."""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.prefix import Prefix

FinishReason = Literal["eos", "length", "stop", "time", "cancelled"]

AllowedTokens = Callable[[Sequence[int]], Iterable[int]]
"""Takes the new tokens of a sequence so far and returns those that may come next; none ends the sequence."""


class StoppingCriterion(Protocol):
    """Reads a sequence as it grows."""

    def push(self, token_id: int) -> bool:
        """Adds a token; True when the sequence must stop."""
        ...

    def branch(self) -> Self:
        """Another one that has read the same."""
        ...


class SequenceState:
    """One row of a search.

    Attributes:
        prompt_ids: what the model was given.
        max_new_tokens: most tokens that this row may get.
        eos_token_id: the token that ends it; None for none.
        random: where a sampled sequence has its chance from; None for one that is not sampled.
        prefix: the beginning of the prompt, if it has been read before.
        next_allowed: the only tokens that may come next; None for all.
        score: sum of the new tokens' log-probabilities, in nats; of a finished beam, what hypotheses are ranked by.
        log_probabilities: of each new token, in nats.
        finish_reason: why it ended; None while it goes on.
    """

    def __init__(  # noqa: PLR0913 -- what makes a sequence differ from its neighbours
        self,
        prompt_ids: tuple[int, ...],
        max_new_tokens: int,
        *,
        eos_token_id: int | None = 2,
        random: np.random.Generator | None = None,
        watch: StoppingCriterion | None = None,
        allowed: AllowedTokens | None = None,
        prefix: Prefix[Any] | None = None,
    ) -> None:
        self.prompt_ids = prompt_ids
        self.max_new_tokens = max_new_tokens
        self.eos_token_id = eos_token_id
        self.random = random
        self.prefix = prefix
        self.score = 0.0
        self.log_probabilities: list[float] = []
        self.finish_reason: FinishReason | None = None
        self._ids = np.zeros(len(prompt_ids) + max_new_tokens, dtype=np.int64)
        self._ids[: len(prompt_ids)] = prompt_ids
        self._length = len(prompt_ids)
        self._watch = watch
        self._allowed = allowed
        self.next_allowed = self._ask_allowed()
        if self.next_allowed == ():
            self.finish_reason = "stop"

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """The prompt and the new tokens so far, not to be changed."""
        return self._ids[: self._length]

    @property
    def token_ids(self) -> list[int]:
        """The new tokens so far, the ending one included."""
        tokens: list[int] = self.ids[len(self.prompt_ids) :].tolist()
        return tokens

    @property
    def num_new_tokens(self) -> int:
        """New tokens so far."""
        return self._length - len(self.prompt_ids)

    def append(self, token_id: int, log_probability: float) -> None:
        """Adds a new token, and ends the sequence if nothing may follow it."""
        self._ids[self._length] = token_id
        self._length += 1
        self.score += log_probability
        self.log_probabilities.append(log_probability)
        if token_id == self.eos_token_id:
            self.finish_reason = "eos"
            return
        self.next_allowed = self._ask_allowed()
        if (self._watch is not None and self._watch.push(token_id)) or self.next_allowed == ():
            self.finish_reason = "stop"
        elif self.num_new_tokens == self.max_new_tokens:
            self.finish_reason = "length"

    def branch(self) -> Self:
        """Another sequence with the same past."""
        other = copy.copy(self)
        other._ids = self._ids.copy()  # noqa: SLF001 -- its own
        other.log_probabilities = self.log_probabilities.copy()
        other._watch = self._watch.branch() if self._watch is not None else None  # noqa: SLF001 -- likewise
        return other

    def _ask_allowed(self) -> tuple[int, ...] | None:
        return None if self._allowed is None else tuple(self._allowed(self.token_ids))
