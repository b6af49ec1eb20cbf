"""Reading a prompt into a cache."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.model import Cache, DecoderModel

CHUNK_TOKENS = 512
"""Tokens read at a time. Attention's scores grow with chunk x sequence; longer chunks are hardly faster."""

CacheT = TypeVar("CacheT", bound=Cache)


def prefill(model: DecoderModel[CacheT], prompt_ids: Sequence[int], cache: CacheT) -> npt.NDArray[np.float32]:
    """Reads a prompt into a cache of one row and returns the logits after its last token, [1, vocab]."""
    ids = np.array([prompt_ids], dtype=np.int64)
    last_chunk = (len(prompt_ids) - 1) // CHUNK_TOKENS * CHUNK_TOKENS
    for start in range(0, last_chunk, CHUNK_TOKENS):
        model.forward(ids[:, start : start + CHUNK_TOKENS], cache, logits_indices=np.empty(0, dtype=np.int64))
    return model.forward(ids[:, last_chunk:], cache)


def logits_by_chunk(model: DecoderModel[CacheT], ids: Sequence[int]) -> Iterator[npt.NDArray[np.float32]]:
    """The logits after every token, [tokens, vocab] a chunk: a long text's would not fit in memory at once."""
    cache = model.new_cache(1, len(ids))
    rows = np.array([ids], dtype=np.int64)
    for start in range(0, len(ids), CHUNK_TOKENS):
        chunk = rows[:, start : start + CHUNK_TOKENS]
        yield model.forward(chunk, cache, logits_indices=np.arange(chunk.shape[1]))
