"""Greedy search and sampling: one token at a time, for every sequence of a batch."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from biogpt_onnx.runtime.backends.protocol import Cache, DecoderModel, DeviceModel
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.reading import prompts_read
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState

CacheT = TypeVar("CacheT", bound=Cache)


def stepwise_search(
    model: DecoderModel[CacheT], states: Sequence[SequenceState], chooser: NextTokenSelector, limits: Limits
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
    model: DecoderModel[CacheT], states: Sequence[SequenceState], chooser: NextTokenSelector, limits: Limits
) -> Iterator[None]:
    with prompts_read(model, states, limits) as (cache_of_all, first):
        cache, active = cache_of_all, list(states)
        tokens = chooser.append(active, first)
        # Asked once: it takes longer than a comparison should in every step.
        on_device = model if isinstance(model, DeviceModel) else None
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
            scores = model.forward(last, cache) if on_device is None else on_device.step(last, cache)
            tokens = chooser.append(active, scores)
