"""Greedy search and sampling: one token at a time, for every sequence of a batch."""

from collections.abc import Generator, Sequence

from biogpt_onnx.runtime.backends.protocol import Backend, CacheT
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.request import StepStatistics
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState


def stepwise_search(
    backend: Backend[CacheT], states: Sequence[SequenceState], selector: NextTokenSelector, limits: Limits
) -> Generator[None, None, StepStatistics]:
    """Continues each sequence in its state; yields after each token of the unfinished sequences.

    A row that ends leaves the batch.

    Args:
        backend: the backend that runs the model.
        states: sequences, none of them finished; their tokens, scores and reasons to end are filled in.
        selector: selects the next token.
        limits: limits; when one is reached, the unfinished sequences end as they are.

    Returns:
        Counts of the passes that the search took.

    Raises:
        ConfigError: the rules exclude every token.
    """
    statistics = StepStatistics()
    try:
        with backend.read_prompts(states, limits) as (cache_of_all, first):
            cache, active = cache_of_all, list(states)
            tokens = selector.append(active, first)
            while True:
                yield
                unfinished = [row for row, state in enumerate(active) if state.finish_reason is None]
                if not unfinished:
                    return statistics
                limits.check()
                if len(unfinished) < len(active):
                    cache = cache.keep(unfinished)
                    active = [active[row] for row in unfinished]
                scores = backend.step(tokens[unfinished, None], cache)
                statistics = statistics.after(is_captured=scores.is_captured)
                tokens = selector.append(active, scores)
    except Interrupted as interruption:
        for state in states:
            state.finish_reason = state.finish_reason or interruption.reason
    return statistics
