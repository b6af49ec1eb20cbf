"""The prompts of a search, read into the cache that it goes on with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.model import BatchModel, Cache, DecoderModel
from biogpt_onnx.runtime.decoding.prefill import prefill
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.state import SequenceState

CacheT = TypeVar("CacheT", bound=Cache)


@contextmanager
def one_prompt_read(
    model: DecoderModel[CacheT],
    prompt_ids: Sequence[int],
    prefix: Prefix[CacheT] | None,
    room: int,
    limits: Limits,
) -> Iterator[tuple[CacheT, npt.NDArray[np.float32]]]:
    """A cache that has read a prompt, with room for `room` tokens more, and the logits after it, [1, vocab].

    If the prompt begins with a prefix, the cache is the prefix's own wherever that is free.

    Raises:
        Interrupted: a limit was reached.
    """
    capacity = len(prompt_ids) + room
    if prefix is None:
        cache = model.new_cache(1, capacity)
        if isinstance(model, BatchModel):  # as in a batch
            yield cache, model.forward_prompts([prompt_ids], cache, limits.check)
        else:
            yield cache, prefill(model, prompt_ids, cache, limits)
    else:
        with prefix.continued(prompt_ids, capacity, limits) as (cache, logits):
            yield cache, logits


def read_prompts(
    model: DecoderModel[CacheT], states: Sequence[SequenceState], limits: Limits
) -> tuple[CacheT, npt.NDArray[np.float32]]:
    """A cache with a row for each sequence, its prompt read, and the logits after each, [rows, vocab].

    On a CPU, prompts are read one by one, because rows of different lengths would be padded to the longest otherwise,
    and because a row computed alone does not depend on its neighbours. One that several rows share is read once, and of
    a prefix what they share with it. A device that reads many at once has read them sooner than copied.

    Raises:
        Interrupted: a limit was reached.
    """
    cache = model.new_cache(len(states), max(len(state.prompt_ids) + state.max_new_tokens - 1 for state in states))
    if isinstance(model, BatchModel):
        return cache, model.forward_prompts([state.prompt_ids for state in states], cache, limits.check)
    first_rows: dict[tuple[int, ...], int] = {}
    logits: list[npt.NDArray[np.float32]] = []
    for row, state in enumerate(states):
        first = first_rows.setdefault(state.prompt_ids, row)
        target = cache.row(row)
        if first < row:
            target.copy_from(cache.row(first), len(state.prompt_ids))
            logits.append(logits[first])
        elif state.prefix is not None:
            logits.append(state.prefix.read_into(target, state.prompt_ids, limits))
        else:
            logits.append(prefill(model, state.prompt_ids, target, limits))
    return cache, np.concatenate(logits)
