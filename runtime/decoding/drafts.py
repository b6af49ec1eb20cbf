"""Greedy search that guesses several tokens and checks them in one step.

A draft is what followed the same words before, in the prompt or in the text so far; see `lookup`. One pass reads the
last token and the whole draft as a tree, and as much of the draft is kept as is what greedy search would have chosen.
"""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.choosing import TokenChooser
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.draft_budget import DraftBudget
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.lookup import Draft, NgramLookup
from biogpt_onnx.runtime.decoding.model import Cache, DecoderModel
from biogpt_onnx.runtime.decoding.reading import one_prompt_read
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.tree import TRUNK, TokenTree

_NEAR_TIE = 1e-3
"""Logits that differ by less may change places when several tokens are computed in one pass, which rounds otherwise.

Float32 logits of BioGPT's size were seen to differ by 3e-6 at most. Where activations are quantized, a last digit that
falls on the other side moves logits by up to 0.06, seldom: to be certain there too, nearly every draft would have to be
computed again.
"""

CacheT = TypeVar("CacheT", bound=Cache)


def draft_search(
    model: DecoderModel[CacheT],
    state: SequenceState,
    config: GenerationConfig,
    limits: Limits,
    clock: Callable[[], float] = perf_counter,
) -> Iterator[None]:
    """Continues a sequence as `stepwise_search` does, to the same tokens; yields after each pass of the model.

    Where the two likeliest tokens are so close that rounding could decide, everything since the first draft is computed
    again token by token, so that the tokens are those of greedy search whatever the kernels do.

    Args:
        model: the model.
        state: the sequence; its tokens, score and reason to end are filled in.
        config: the rules, and how drafts are made.
        limits: when reached, the sequence ends as it is.
        clock: tells the time in seconds; what it says decides how much is drafted, never a token.

    Raises:
        ConfigError: the rules exclude every token.
    """
    try:
        room = state.max_new_tokens - 1 + config.prompt_lookup_num_tokens
        with one_prompt_read(model, state.prompt_ids, state.prefix, room, limits) as (cache, logits):
            drafting = _Drafting(model, cache, state, config, clock)
            drafting.begin(logits)
            yield
            while state.finish_reason is None:
                limits.check()
                drafting.advance()
                yield
    except Interrupted as interruption:
        state.finish_reason = interruption.reason


class _Drafting(Generic[CacheT]):
    """One pass of the model after the other."""

    def __init__(
        self,
        model: DecoderModel[CacheT],
        cache: CacheT,
        state: SequenceState,
        config: GenerationConfig,
        clock: Callable[[], float],
    ) -> None:
        self._model = model
        self._cache = cache
        self._state = state
        self._chooser = TokenChooser(config)
        self._clock = clock
        self._lookup = NgramLookup(state.prompt_ids, config.max_matching_ngram_size)
        self._budget = DraftBudget(config.prompt_lookup_num_tokens)
        # Up to here the cache holds exactly what greedy search would hold.
        self._exact = int(cache.lengths[0])

    def begin(self, logits: npt.NDArray[np.float32]) -> None:
        """Takes the first token, given the logits after the prompt, [1, vocab]."""
        self._chooser.append([self._state], logits)
        self._lookup.extend(self._state.token_ids)

    def advance(self) -> None:
        """Takes as many tokens as one pass yields."""
        before = self._state.num_new_tokens
        start = self._clock()
        draft = self._draft()
        accepted = self._read(draft) if draft else self._step()
        self._budget.record(draft, accepted, self._clock() - start)
        self._lookup.extend(self._state.token_ids[before:])

    def _draft(self) -> Draft | None:
        left = self._state.max_new_tokens - self._state.num_new_tokens - 1
        allowance = min(self._budget.allowance(self._lookup.matched()), left)
        return self._lookup.propose(allowance) if allowance > 0 else None

    def _step(self) -> int:
        is_exact = self._exact == self._cache.lengths[0]
        logits = self._model.forward(self._state.ids[None, -1:], self._cache)
        if is_exact:
            self._exact += 1
        self._choose(logits)
        return 0

    def _read(self, draft: Draft) -> int:
        """Reads the last token and a draft; returns how many drafted tokens were right."""
        start = int(self._cache.lengths[0])
        tree = TokenTree(self._model, self._cache, len(draft.token_ids) + 1)
        # The last token is node 0, so a draft's nodes and their parents count from 1.
        tokens = [int(self._state.ids[-1]), *draft.token_ids]
        logits = tree.append(tokens, [TRUNK, *(parent + 1 for parent in draft.parents)])
        path = [0]
        while self._choose(logits[path[-1]][None]):
            following = _child(draft, path[-1] - 1, int(self._state.ids[-1]))
            if following is None or self._state.finish_reason is not None:
                break
            path.append(following + 1)
        else:
            return len(path) - 1
        self._cache.keep_tokens(np.concatenate([np.arange(start), start + np.array(path)]))
        return len(path) - 1

    def _choose(self, logits: npt.NDArray[np.float32]) -> bool:
        """Appends the next token; False when that took computing everything again."""
        if self._exact == self._cache.lengths[0]:
            self._chooser.append([self._state], logits)
            return True
        tokens, scores = self._chooser.choose([self._state], logits)
        is_certain = _lead(logits[0], int(tokens[0])) >= _NEAR_TIE
        if not is_certain:
            tokens, scores = self._chooser.choose([self._state], self._exact_logits())
        self._state.append(int(tokens[0]), float(scores[0]))
        return is_certain

    def _exact_logits(self) -> npt.NDArray[np.float32]:
        self._cache.truncate(self._exact)
        ids = self._state.ids[None]
        for position in range(self._exact, ids.shape[1]):
            logits = self._model.forward(ids[:, position : position + 1], self._cache)
        self._exact = ids.shape[1]
        return logits


def _child(draft: Draft, parent: int, token: int) -> int | None:
    nodes = enumerate(zip(draft.parents, draft.token_ids, strict=True))
    return next((node for node, (above, drafted) in nodes if above == parent and drafted == token), None)


def _lead(logits: npt.NDArray[np.float32], best: int) -> float:
    """How far the largest logit is above the second; the row is used up."""
    largest = logits[best]
    logits[best] = -np.inf
    return float(largest - logits.max())
