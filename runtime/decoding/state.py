"""The state of a sequence while it is generated."""

import copy
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.selection.allowed_tokens import check_allowed

FinishReason = Literal["eos", "length", "stop", "time", "cancelled"]

AllowedTokens = Callable[[Sequence[int]], Iterable[int]]
"""A rule that takes the new tokens of a sequence and returns those that may come next; none ends the sequence."""


class StoppingCriterion(Protocol):
    """A reader of a growing sequence, which decides if it must stop."""

    def push(self, token_id: int) -> bool:
        """Adds a token; returns True if the sequence must stop."""
        ...

    def branch(self) -> Self:
        """Returns an independent copy, which has read the same tokens."""
        ...


class SequenceState:
    """A sequence of a search: a prompt and its new tokens.

    Attributes:
        prompt_ids: token ids of the prompt.
        max_new_tokens: most new tokens that the sequence may get.
        end_token_ids: tokens that end the sequence.
        random: random generator of a sampled sequence; None for one that is not sampled.
        prefix: beginning of the prompt that has been read before; None if there is none.
        next_allowed: tokens that may come next; None for all.
        score: sum of the new tokens' log-probabilities, in nats; for a finished beam, the score by which hypotheses are
            ranked.
        token_times: time at which each new token was chosen, of `perf_counter`.
        log_probabilities: log-probability of each new token, in nats.
        top_tokens: most probable tokens at the place of each new token; empty unless they are asked for.
        finish_reason: reason why the sequence ended; None while it goes on.

    Args:
        eos_token_id: token that ends the sequence, or several; None for none.
        watch: reader of the new tokens that may stop the sequence; None for none.
        allowed: rule for the tokens that may come next; None for all.
    """

    def __init__(  # noqa: PLR0913 -- each argument may differ from sequence to sequence
        self,
        prompt_ids: tuple[int, ...],
        max_new_tokens: int,
        *,
        eos_token_id: int | Sequence[int] | None = 2,
        random: "np.random.Generator | None" = None,
        watch: StoppingCriterion | None = None,
        allowed: AllowedTokens | None = None,
        prefix: Prefix[Any] | None = None,
    ) -> None:
        self.prompt_ids = prompt_ids
        self.max_new_tokens = max_new_tokens
        ending = (eos_token_id,) if isinstance(eos_token_id, int) else eos_token_id or ()
        self.end_token_ids = frozenset(ending)
        self.random = random
        self.prefix = prefix
        self.score = 0.0
        self.token_times: list[float] = []
        self.log_probabilities: list[float] = []
        self.top_tokens: list[tuple[tuple[int, float], ...]] = []
        self.finish_reason: FinishReason | None = None
        self._ids = np.zeros(len(prompt_ids) + max_new_tokens, dtype=np.int64)
        self._ids[: len(prompt_ids)] = prompt_ids
        self._length = len(prompt_ids)
        self._watch = watch
        self._allowed = allowed
        self.next_allowed = self._allowed_next()
        if self.next_allowed == ():
            self.finish_reason = "stop"

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """Token ids of the prompt and of the new tokens so far; not to be changed."""
        return self._ids[: self._length]

    @property
    def token_ids(self) -> list[int]:
        """Ids of the new tokens so far, including the ending one."""
        tokens: list[int] = self.ids[len(self.prompt_ids) :].tolist()
        return tokens

    @property
    def max_cached_tokens(self) -> int:
        """Most tokens of the sequence that a cache holds: all but the last new one, which is never read."""
        return len(self.prompt_ids) + self.max_new_tokens - 1

    @property
    def least_cached_tokens(self) -> int:
        """Fewest tokens that a cache comes to hold: the prompt alone where a token or a rule may end the sequence."""
        may_end = bool(self.end_token_ids) or self._watch is not None or self._allowed is not None
        return len(self.prompt_ids) if may_end else self.max_cached_tokens

    @property
    def num_new_tokens(self) -> int:
        """Number of new tokens so far."""
        return self._length - len(self.prompt_ids)

    def append(self, token_id: int, log_probability: float) -> None:
        """Adds a new token, and ends the sequence if nothing may follow it."""
        self._ids[self._length] = token_id
        self._length += 1
        self.score += log_probability
        self.token_times.append(perf_counter())
        # Last of all: a stream reads as many tokens as have a log-probability, from another thread.
        self.log_probabilities.append(log_probability)
        if token_id in self.end_token_ids:
            self.finish_reason = "eos"
            return
        self.next_allowed = self._allowed_next()
        if (self._watch is not None and self._watch.push(token_id)) or self.next_allowed == ():
            self.finish_reason = "stop"
        elif self.num_new_tokens == self.max_new_tokens:
            self.finish_reason = "length"

    def branch(self) -> Self:
        """Returns an independent copy of the sequence."""
        other = copy.copy(self)
        other._ids = self._ids.copy()  # noqa: SLF001 -- of this class
        other.token_times = self.token_times.copy()
        other.log_probabilities = self.log_probabilities.copy()
        other.top_tokens = self.top_tokens.copy()
        other._watch = self._watch.branch() if self._watch is not None else None  # noqa: SLF001 -- of this class
        return other

    def _allowed_next(self) -> tuple[int, ...] | None:
        return None if self._allowed is None else check_allowed(self._allowed(self.token_ids))
