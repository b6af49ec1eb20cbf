"""Greedy search and sampling: one token at a time, for every sequence of a batch."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from biogpt_onnx.runtime.decoding.choosing import TokenChooser
from biogpt_onnx.runtime.decoding.following import step
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.model import Cache, DecoderModel, SelectingModel
from biogpt_onnx.runtime.decoding.reading import prompts_read
from biogpt_onnx.runtime.decoding.state import SequenceState

CacheT = TypeVar("CacheT", bound=Cache)


def stepwise_search(
    model: DecoderModel[CacheT], states: Sequence[SequenceState], chooser: TokenChooser, limits: Limits
) -> Iterator[None]:
    """Continues each sequence in its state; yields after every token that the unfinished sequences were given.

    A row that ends leaves the batch.

    Args:
        model: the model.
        states: the sequences, none of them finished; their tokens, scores and reasons to end are filled in.
        chooser: says which token comes next.
        limits: when reached, the unfinished sequences end as they are.

    Raises:
        ConfigError: the rules exclude every token.
    """
    try:
        yield from _search(model, states, chooser, limits)
    except Interrupted as interruption:
        for state in states:
            state.finish_reason = state.finish_reason or interruption.reason


def _search(
    model: DecoderModel[CacheT], states: Sequence[SequenceState], chooser: TokenChooser, limits: Limits
) -> Iterator[None]:
    with prompts_read(model, states, chooser.enough(states), limits) as (cache_of_all, first):
        cache, active = cache_of_all, list(states)
        tokens = chooser.append(active, first)
        # Asked once: it takes longer than a comparison should in every step.
        selecting = model if isinstance(model, SelectingModel) else None
        while True:
            yield
            unfinished = [row for row, state in enumerate(active) if state.finish_reason is None]
            if not unfinished:
                return
            limits.check()
            if len(unfinished) < len(active):
                cache = cache.keep(unfinished)
                active = [active[row] for row in unfinished]
            last = tokens[unfinished, None]
            if selecting is None:
                tokens = chooser.append(active, model.forward(last, cache))
            else:
                tokens = chooser.append(active, step(selecting, last, cache, chooser.enough(active)))
