"""Reading a prompt into a cache."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import Cache, DecoderModel, DeviceModel
from biogpt_onnx.runtime.decoding.limits import Limits

CHUNK_TOKENS = 512
"""Tokens read at a time on a CPU. Attention's scores grow with chunk x sequence; longer chunks are hardly faster."""

CacheT = TypeVar("CacheT", bound=Cache)


def prefill(
    model: DecoderModel[CacheT], prompt_ids: Sequence[int], cache: CacheT, limits: Limits
) -> npt.NDArray[np.float32]:
    """Reads what a cache of one row does not hold yet of a prompt; returns the logits after its last token, [1, vocab].

    Raises:
        Interrupted: a limit was reached.
    """
    if isinstance(model, DeviceModel):
        # Its attention keeps no scores, and each pass costs time whatever it computes.
        limits.check()
        unread = prompt_ids[int(cache.lengths[0]) :]
    else:
        unread = read_all_but_the_last_chunk(model, prompt_ids, cache, limits)
    return model.forward(np.array([unread], dtype=np.int64), cache)


def read_all_but_the_last_chunk(
    model: DecoderModel[CacheT], prompt_ids: Sequence[int], cache: CacheT, limits: Limits
) -> Sequence[int]:
    """Reads what a cache of one row does not hold yet of a prompt, but for its last tokens, which are returned.

    Raises:
        Interrupted: a limit was reached.
    """
    held = int(cache.lengths[0])
    # No chunk of a single token is left over: it would be computed by another kernel, which rounds otherwise.
    last_chunk = held + max(0, (len(prompt_ids) - held - 2) // CHUNK_TOKENS * CHUNK_TOKENS)
    for start in range(held, last_chunk, CHUNK_TOKENS):
        limits.check()
        chunk = np.array([prompt_ids[start : start + CHUNK_TOKENS]], dtype=np.int64)
        model.forward(chunk, cache, logits_indices=np.empty(0, dtype=np.int64))
    limits.check()
    return prompt_ids[last_chunk:]


def logits_by_chunk(
    model: DecoderModel[CacheT], ids: Sequence[int], cache: CacheT, first: int = 0
) -> Iterator[npt.NDArray[np.float32]]:
    """The logits after every token from number `first` on that a cache does not hold yet, [tokens, vocab] a chunk.

    All of a long text's would not fit in memory at once.
    """
    rows = np.array([ids], dtype=np.int64)
    for start in range(int(cache.lengths[0]), len(ids), CHUNK_TOKENS):
        chunk = rows[:, start : start + CHUNK_TOKENS]
        wanted = np.arange(min(max(0, first - start), chunk.shape[1]), chunk.shape[1])
        yield model.forward(chunk, cache, logits_indices=wanted)
