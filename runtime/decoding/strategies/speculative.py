"""Greedy search that guesses several tokens and checks them in one step.

A draft is what followed the same words before, in the prompt or in the text so far; see `lookup`. One pass reads the
last token and the whole draft, and as much of the draft is kept as is what greedy search would have chosen.
"""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Protocol

from biogpt_onnx.runtime.backends.cpu.tree_verifier import TreeVerifier
from biogpt_onnx.runtime.backends.cuda.linear_verifier import LinearVerifier
from biogpt_onnx.runtime.backends.protocol import DeviceModel, SearchModel
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.drafting.budget import DraftBudget
from biogpt_onnx.runtime.decoding.drafting.lookup import Draft, NgramLookup
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.reading import prompts_read
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState


class _Passes(Protocol):
    """How tokens are read and chosen behind what a cache holds."""

    @property
    def branches(self) -> bool:
        """Whether a draft may be a tree."""
        ...

    def step(self) -> None:
        """Reads the last token and takes the next one."""
        ...

    def read(self, draft: Draft) -> int:
        """Reads the last token and a draft, and takes what follows; returns how many drafted tokens were right."""
        ...


def draft_search(
    model: SearchModel,
    state: SequenceState,
    config: GenerationConfig,
    limits: Limits,
    clock: Callable[[], float] = perf_counter,
) -> Iterator[None]:
    """Continues a sequence as `stepwise_search` does; yields after each pass of the model.

    On a CPU to the same tokens, see `TreeVerifier`; on a device, see `LinearVerifier`.

    Args:
        model: the model.
        state: the sequence; its tokens, score and reason to end are filled in.
        config: the rules, and how drafts are made.
        limits: when reached, the sequence ends as it is.
        clock: tells the time in seconds; what it says decides how much is drafted.

    Raises:
        ConfigError: the rules exclude every token.
    """
    chooser = NextTokenSelector(config)
    try:
        for_drafts = config.prompt_lookup_num_tokens
        with prompts_read(model, [state], limits, more_room=for_drafts) as (cache, first):
            chooser.append([state], first)
            passes: _Passes = (
                LinearVerifier(model, cache, state, chooser)
                if isinstance(model, DeviceModel)
                else TreeVerifier(model, cache, state, chooser)
            )
            drafting = _Drafting(passes, state, config, clock)
            yield
            while state.finish_reason is None:
                limits.check()
                drafting.advance()
                yield
    except Interrupted as interruption:
        state.finish_reason = interruption.reason


class _Drafting:
    """One pass of the model after the other, behind the first token."""

    def __init__(
        self, passes: _Passes, state: SequenceState, config: GenerationConfig, clock: Callable[[], float]
    ) -> None:
        self._passes = passes
        self._state = state
        self._clock = clock
        self._lookup = NgramLookup(state.ids, config.max_matching_ngram_size)
        self._budget = DraftBudget(config.prompt_lookup_num_tokens)

    def advance(self) -> None:
        """Takes as many tokens as one pass yields."""
        before = self._state.num_new_tokens
        start = self._clock()
        draft, accepted = self._draft(), 0
        if draft is None:
            self._passes.step()
        else:
            accepted = self._passes.read(draft)
        self._budget.record(draft, accepted, self._clock() - start)
        self._lookup.extend(self._state.token_ids[before:])

    def _draft(self) -> Draft | None:
        left = self._state.max_new_tokens - self._state.num_new_tokens - 1
        allowance = min(self._budget.allowance(self._lookup.matched()), left)
        return self._lookup.propose(allowance, branches=self._passes.branches) if allowance > 0 else None
