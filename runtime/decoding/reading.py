"""The prompts of a search, read into the cache that it goes on with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import Cache, DecoderModel, DeviceModel, Scores, TokenScores
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefill import prefill
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.state import SequenceState

CacheT = TypeVar("CacheT", bound=Cache)


@contextmanager
def prompts_read(
    model: DecoderModel[CacheT],
    states: Sequence[SequenceState],
    limits: Limits,
    more_room: int = 0,
) -> Iterator[tuple[CacheT, Scores]]:
    """A cache with a row for each sequence, its prompt read, and what may follow each.

    On a CPU, prompts are read one by one, because rows of different lengths would be padded to the longest otherwise,
    and because a row computed alone does not depend on its neighbours. One that several rows share is read once, and of
    a prefix what they share with it. A device that reads many at once has read them sooner than copied.

    Args:
        model: the model.
        states: the sequences.
        limits: looked at before each pass.
        more_room: for so many tokens more than a row's new ones.

    Raises:
        Interrupted: a limit was reached.
    """
    if isinstance(model, DeviceModel) and (len(states) > 1 or states[0].prefix is None):
        yield read_together(model, states, limits, more_room)
    elif len(states) == 1:
        room = states[0].max_new_tokens - 1 + more_room
        with one_prompt_read(model, states[0].prompt_ids, states[0].prefix, room, limits) as read:
            yield read
    else:
        yield _read_one_by_one(model, states, limits, more_room)


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
        yield cache, prefill(model, prompt_ids, cache, limits)
    else:
        with prefix.continued(prompt_ids, capacity, limits) as (cache, logits):
            yield cache, logits


def read_together(
    model: DeviceModel[CacheT],
    states: Sequence[SequenceState],
    limits: Limits,
    more_room: int = 0,
) -> tuple[CacheT, TokenScores]:
    """A cache with a row for each sequence, its whole prompt read, and what may follow each; see `prompts_read`.

    Raises:
        Interrupted: a limit was reached.
    """
    cache = _new_cache(model, states, more_room)
    return cache, model.forward_prompts([state.prompt_ids for state in states], cache, limits.check)


def _read_one_by_one(
    model: DecoderModel[CacheT], states: Sequence[SequenceState], limits: Limits, more_room: int
) -> tuple[CacheT, npt.NDArray[np.float32]]:
    cache = _new_cache(model, states, more_room)
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


def _new_cache(model: DecoderModel[CacheT], states: Sequence[SequenceState], more_room: int) -> CacheT:
    capacity = max(len(state.prompt_ids) + state.max_new_tokens - 1 for state in states)
    return model.new_cache(len(states), capacity + more_room)
