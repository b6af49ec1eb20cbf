"""Chunks of long sequences, read one by one so that memory stays bounded."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import CacheT, Decoder

CHUNK_TOKENS = 512
"""Most tokens of a chunk. Attention's scores grow with chunk x sequence, and longer chunks are hardly faster."""

_TILE_TOKENS = 128
"""Tokens that ONNX Runtime's CPU attention takes at a time, with the head size of BioGPT."""

_SPLIT_OFF = 64
"""Tokens that the next chunk takes from a chunk whose last tile would be a single token."""


def chunks(start: int, end: int, most: int = CHUNK_TOKENS) -> Iterator[slice]:
    """Yields the chunks in which tokens from number `start` to `end` (exclusive) are read.

    No chunk is a single token, or has a last tile of a single token: these are computed by another kernel, which rounds
    differently. So the logits after a sequence do not depend on how much of it was read before. The exception is a
    sequence of one token.

    Args:
        start: number of the first token.
        end: number of tokens up to the last one.
        most: most tokens of a chunk.
    """
    while start < end:
        length = min(most, end - start)
        if length > _SPLIT_OFF and (length % _TILE_TOKENS == 1 or end - start - length == 1):
            length -= _SPLIT_OFF
        yield slice(start, start + length)
        start += length


def ends_in_a_single_token(length: int) -> bool:
    """Returns True if a pass over so many tokens has a last tile of a single token, which another kernel computes."""
    return length % _TILE_TOKENS == 1


def read_chunk(decoder: Decoder[CacheT], ids: Sequence[int], chunk: slice, cache: CacheT) -> None:
    """Reads a chunk of a sequence of which no logits are wanted into a cache of one row."""
    decoder.forward(np.array([ids[chunk]], dtype=np.int64), cache, logits_indices=np.empty(0, dtype=np.int64))


def logits_by_chunk(
    decoder: Decoder[CacheT], ids: Sequence[int], cache: CacheT, first: int = 0
) -> Iterator[npt.NDArray[np.float32]]:
    """Yields the logits after every token from number `first` on that a cache does not hold yet, [tokens, vocab] each.

    The logits of a long text do not fit in memory all at once.
    """
    rows = np.array([ids], dtype=np.int64)
    for chunk in chunks(int(cache.lengths[0]), len(ids)):
        length = chunk.stop - chunk.start
        requested = np.arange(min(max(0, first - chunk.start), length), length)
        yield decoder.forward(rows[:, chunk], cache, logits_indices=requested)
