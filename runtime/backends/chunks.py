"""Chunks of long sequences, read one by one so that memory stays bounded."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import CacheT, Decoder

CHUNK_TOKENS = 512
"""Tokens of a chunk. Attention's scores grow with chunk x sequence, and longer chunks are hardly faster."""


def logits_by_chunk(
    decoder: Decoder[CacheT], ids: Sequence[int], cache: CacheT, first: int = 0
) -> Iterator[npt.NDArray[np.float32]]:
    """Yields the logits after every token from number `first` on that a cache does not hold yet, [tokens, vocab] each.

    The logits of a long text do not fit in memory all at once.
    """
    rows = np.array([ids], dtype=np.int64)
    for start in range(int(cache.lengths[0]), len(ids), CHUNK_TOKENS):
        chunk = rows[:, start : start + CHUNK_TOKENS]
        requested = np.arange(min(max(0, first - start), chunk.shape[1]), chunk.shape[1])
        yield decoder.forward(chunk, cache, logits_indices=requested)
