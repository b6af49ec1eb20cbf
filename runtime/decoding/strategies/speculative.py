"""Speculative decoding: greedy search that drafts several tokens and verifies them in one pass.

A draft consists of the tokens that followed the last ones before, in the prompt or in the text so far; see
`NgramLookup`. One pass reads the last token and the whole draft, of which the tokens are kept that greedy search would
have selected.
"""

from collections.abc import Callable, Generator
from time import perf_counter
from typing import Generic

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import Backend, CacheT, TokenScores
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.drafting.budget import DraftBudget
from biogpt_onnx.runtime.decoding.drafting.lookup import Draft, NgramLookup
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.request import StepStatistics
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState


def speculative_search(
    backend: Backend[CacheT],
    state: SequenceState,
    config: GenerationConfig,
    limits: Limits,
    clock: Callable[[], float] = perf_counter,
) -> Generator[None, None, StepStatistics]:
    """Continues a sequence as `stepwise_search` does; yields after each pass of the model.

    Args:
        backend: the backend that runs the model. If its `near_tie` is None, rounding may select another token than in
            `stepwise_search`.
        state: the sequence; its tokens, score and reason to end are filled in.
        config: rules, and settings of drafts.
        limits: limits; when one is reached, the sequence ends as it is.
        clock: returns the time in seconds, by which the length of drafts is decided.

    Returns:
        Counts of the passes that the search took.

    Raises:
        ConfigError: the rules exclude every token.
    """
    selector = NextTokenSelector(config)
    statistics = StepStatistics()
    try:
        extra_room = config.prompt_lookup_num_tokens
        with backend.read_prompts([state], limits, extra_room) as (cache, first):
            selector.append([state], first)
            drafting = _Drafting(Verifier(backend, cache, state, selector), state, config, clock)
            yield
            while state.finish_reason is None:
                limits.check()
                statistics = statistics.after(is_captured=drafting.advance())
                yield
    except Interrupted as interruption:
        state.finish_reason = interruption.reason
    return statistics


class Verifier(Generic[CacheT]):
    """A verifier of drafts: it appends tokens to a cache and accepts those that greedy search selects.

    Where the two most likely tokens are closer than the backend's `near_tie`, or a rule makes as much of a difference
    that small, all tokens since the first draft are computed again one by one, so that rounding does not decide.

    Args:
        backend: the backend that runs the model.
        cache: cache of one row, which has read the prompt.
        state: the sequence, with its first token.
        selector: selects the next token.
    """

    def __init__(
        self, backend: Backend[CacheT], cache: CacheT, state: SequenceState, selector: NextTokenSelector
    ) -> None:
        self._backend = backend
        self._cache = cache
        self._state = state
        self._selector = selector
        # The number of tokens up to which the cache is exactly that of greedy search.
        self._exact = int(cache.lengths[0])

    def step(self) -> bool:
        """Reads the last token and appends the next one; returns True if the pass was replayed from a CUDA graph."""
        is_exact = self._exact == self._cache.lengths[0]
        scores = self._backend.step(self._state.ids[None, -1:], self._cache)
        self._exact += is_exact
        self._append(scores)
        return scores.is_captured

    def verify(self, draft: Draft) -> int:
        """Reads the last token and a draft, and appends the selected tokens; returns the number of accepted ones."""
        start = int(self._cache.lengths[0])
        scores = self._backend.verify([int(self._state.ids[-1]), *draft.token_ids], self._cache)
        accepted = 0
        for drafted in (*draft.token_ids, None):
            if not self._append(scores[accepted : accepted + 1]):
                return accepted
            if int(self._state.ids[-1]) != drafted or self._state.finish_reason is not None:
                break
            accepted += 1
        self._cache.truncate(start + 1 + accepted)
        return accepted

    def _append(self, scores: TokenScores) -> bool:
        """Appends the next token; returns False if tokens had to be computed again for it."""
        near_tie = self._backend.near_tie
        if near_tie is None or self._exact == self._cache.lengths[0]:
            self._selector.append([self._state], scores)
            return True
        self._selector.record_top([self._state], scores)
        raw = scores.logits()
        logits = raw.copy()
        tokens, log_probabilities = self._selector.select([self._state], logits)
        is_certain = _margin(logits[0], int(tokens[0])) >= near_tie
        if is_certain and self._selector.has_rules_for([self._state]):
            is_certain = self._survives_rounding(raw, int(tokens[0]), near_tie)
        if not is_certain:
            exact = self._exact_scores()
            self._selector.record_top([self._state], exact)
            tokens, log_probabilities = self._selector.select([self._state], exact.logits())
        self._state.append(int(tokens[0]), float(log_probabilities[0]))
        return is_certain

    def _survives_rounding(self, logits: npt.NDArray[np.float32], token: int, near_tie: float) -> bool:
        """Returns True if the rules select the token even where rounding favors all others; changes the logits.

        A rule may magnify a difference, so that the tokens are far apart only after it.
        """
        logits += np.float32(near_tie / 2)
        logits[:, token] -= np.float32(near_tie)
        selected, _ = self._selector.select([self._state], logits)
        return int(selected[0]) == token

    def _exact_scores(self) -> TokenScores:
        self._cache.truncate(self._exact)
        ids = self._state.ids[None]
        for position in range(self._exact, ids.shape[1]):
            scores = self._backend.step(ids[:, position : position + 1], self._cache)
        self._exact = ids.shape[1]
        return scores


class _Drafting:
    """The loop of drafts: each pass verifies a draft or reads a single token."""

    def __init__(
        self, verifier: Verifier[CacheT], state: SequenceState, config: GenerationConfig, clock: Callable[[], float]
    ) -> None:
        self._verifier = verifier
        self._state = state
        self._clock = clock
        self._lookup = NgramLookup(state.ids, config.max_matching_ngram_size)
        self._budget = DraftBudget(config.prompt_lookup_num_tokens)

    def advance(self) -> bool:
        """Takes one pass and appends its tokens; returns True if the pass was replayed from a CUDA graph."""
        before = self._state.num_new_tokens
        start = self._clock()
        draft, accepted, is_captured = self._draft(), 0, False
        if draft is None:
            is_captured = self._verifier.step()
        else:
            accepted = self._verifier.verify(draft)
        self._budget.record(draft, accepted, self._clock() - start)
        self._lookup.extend(self._state.token_ids[before:])
        return is_captured

    def _draft(self) -> Draft | None:
        left = self._state.max_new_tokens - self._state.num_new_tokens - 1
        return self._lookup.propose(min(self._budget.allowance(self._lookup.matched()), left))


def _margin(logits: npt.NDArray[np.float32], best: int) -> float:
    """Returns the difference between a row's largest logit, that of `best`, and the next; the row is changed."""
    largest = logits[best]
    logits[best] = -np.inf
    return float(largest - logits.max())
