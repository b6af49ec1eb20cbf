"""Reading of prompts on a CPU: one by one, in chunks.

In a batch, rows of different lengths would be padded to the longest; and a row that is computed alone does not depend
on other rows.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.chunks import chunks, read_chunk
from biogpt_onnx.runtime.backends.host_scores import HostTokenScores
from biogpt_onnx.runtime.backends.protocol import Backend, CacheT, Decoder, TokenScores
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.state import SequenceState


def prefill(
    decoder: Decoder[CacheT], prompt_ids: Sequence[int], cache: CacheT, limits: Limits
) -> npt.NDArray[np.float32]:
    """Reads the tokens of a prompt that a cache of one row does not hold yet; returns the logits after the last.

    Returns:
        Logits after the prompt's last token, [1, vocab].

    Raises:
        Interrupted: a limit was reached.
    """
    unread = read_all_but_the_last_chunk(decoder, prompt_ids, cache, limits)
    return decoder.forward(np.array([unread], dtype=np.int64), cache)


def read_all_but_the_last_chunk(
    decoder: Decoder[CacheT], prompt_ids: Sequence[int], cache: CacheT, limits: Limits
) -> Sequence[int]:
    """Reads the tokens of a prompt that a cache of one row does not hold yet, except the last chunk, which it returns.

    Raises:
        Interrupted: a limit was reached.
    """
    for chunk in chunks(int(cache.lengths[0]), len(prompt_ids)):
        limits.check()
        if chunk.stop == len(prompt_ids):
            return prompt_ids[chunk]
        read_chunk(decoder, prompt_ids, chunk, cache)
    raise ValueError("the cache holds the whole prompt already")


@contextmanager
def one_prompt_read(
    backend: Backend[CacheT],
    prompt_ids: Sequence[int],
    prefix: Prefix[CacheT] | None,
    room: int,
    limits: Limits,
) -> Iterator[tuple[CacheT, TokenScores]]:
    """Yields a cache that has read a prompt, with room for `room` tokens more, and the scores after the prompt.

    If the prompt begins with a prefix whose own cache is free, that cache is used.

    Raises:
        Interrupted: a limit was reached.
    """
    capacity = len(prompt_ids) + room
    if prefix is None:
        cache = backend.new_cache(1, capacity)
        yield cache, backend.read(prompt_ids, cache, limits)
    else:
        with prefix.continued(prompt_ids, capacity, limits) as read:
            yield read


def read_one_by_one(
    backend: Backend[CacheT], states: Sequence[SequenceState], cache: CacheT, limits: Limits
) -> HostTokenScores:
    """Reads the prompt of each sequence into its row of an empty cache, and returns the scores after each prompt.

    A prompt that several rows share is read once, and tokens that a prompt shares with its prefix are copied.

    Raises:
        Interrupted: a limit was reached.
    """
    first_rows: dict[tuple[int, ...], int] = {}
    logits: list[npt.NDArray[np.float32]] = []
    for row, state in enumerate(states):
        first = first_rows.setdefault(state.prompt_ids, row)
        target = cache.row(row)
        if first < row:
            target.copy_from(cache.row(first), len(state.prompt_ids))
            logits.append(logits[first])
        elif state.prefix is not None:
            logits.append(state.prefix.read_into(target, state.prompt_ids, limits).logits())
        else:
            logits.append(backend.read(state.prompt_ids, target, limits).logits())
    return HostTokenScores(np.concatenate(logits))
