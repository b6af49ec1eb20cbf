"""Chunks of sequences, read one by one so that memory stays bounded and others may take passes between them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import CacheT, Decoder

CHUNK_TOKENS = 256
"""Most tokens of a chunk. Attention computes what the causal mask hides within a chunk, while each further chunk reads
the weights again: shorter chunks are a tenth slower, and longer ones no faster and the longer to wait for."""

CUT_TOKENS = 4
"""Number of tokens at whose multiples a sequence may be cut.

ONNX Runtime's float32 product for ARM64 adds up keys in fours, and those beyond the last four in another way.
"""

_TILE_TOKENS = 128
"""Tokens that ONNX Runtime's CPU attention takes at a time, with the head size of BioGPT."""

_SPLIT_OFF = 64
"""Most tokens that the next chunk takes from one that would leave a single token."""


class Pace(Protocol):
    """The pace at which sequences are read in a thread that serves others, too."""

    def most_tokens(self) -> int:
        """Returns the most tokens of the next chunk, at least 4; see `next_chunk`."""
        ...

    def pause(self, tokens: int) -> None:
        """Is called after each chunk but the last of a sequence, with its number of tokens.

        An error that it raises ends the reading.
        """
        ...


_current_pace: ContextVar[Pace | None] = ContextVar("pace", default=None)


@contextmanager
def at_pace(pace: Pace | None) -> Iterator[None]:
    """Has all sequences that are read in the `with` block, by this thread, be read at a pace; None for whole chunks."""
    token = _current_pace.set(pace)
    try:
        yield
    finally:
        _current_pace.reset(token)


def is_paced() -> bool:
    """Returns True if others wait for the passes of this thread; see `at_pace`."""
    return _current_pace.get() is not None


def last_cut(length: int) -> int:
    """Returns the last place up to `length` tokens at which a sequence may be cut: a multiple of `CUT_TOKENS`."""
    return length - length % CUT_TOKENS


def next_chunk(start: int, end: int, most: int = CHUNK_TOKENS) -> slice:
    """Returns the chunk that is read next of the tokens from number `start` to `end` (exclusive).

    It ends at a multiple of `CUT_TOKENS`, or at `end`. No chunk is a single token, or has a last tile of a single
    token: these are computed by another kernel, which rounds differently. So if `start` is such a multiple, the logits
    after a sequence do not depend on where it was cut. The exception is a sequence of one token.

    Args:
        start: number of the first token, before `end`.
        end: number of tokens up to the last one.
        most: most tokens of the chunk, at least 4. A chunk has one more where a single token would be left otherwise,
            or up to two more if `start` is no multiple of `CUT_TOKENS`.
    """
    if most < CUT_TOKENS:
        raise ValueError(f"chunks of at most {most} tokens cannot end at multiples of {CUT_TOKENS}: allow 4 or more")
    rest = end - start
    if rest == 1 or (rest <= most and rest % _TILE_TOKENS != 1):
        return slice(start, end)
    longest = min(most, rest)
    last = last_cut(start + longest)
    if end - last <= 1:
        last = last_cut(start + longest - min(_SPLIT_OFF, longest // 2))
    places = (*range(last, start, -CUT_TOKENS), *range(last + CUT_TOKENS, end, CUT_TOKENS))
    return slice(start, next((place for place in places if _can_be_cut(start, place, end)), end))


def _can_be_cut(start: int, place: int, end: int) -> bool:
    return (place - start) % _TILE_TOKENS != 1 and end - place != 1


def chunks(start: int, end: int) -> Iterator[slice]:
    """Yields the chunks in which tokens from number `start` to `end` (exclusive) are read; see `next_chunk`.

    Each is to be read before the next is asked for, as others may take passes between them; see `at_pace`.

    Args:
        start: number of the first token.
        end: number of tokens up to the last one.
    """
    pace = _current_pace.get()
    while start < end:
        chunk = next_chunk(start, end, CHUNK_TOKENS if pace is None else min(CHUNK_TOKENS, pace.most_tokens()))
        yield chunk
        if pace is not None and chunk.stop < end:
            pace.pause(chunk.stop - chunk.start)
        start = chunk.stop


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
        yield decoder.forward(rows[:, chunk], cache, logits_indices=requested_in(chunk, first))


def requested_in(chunk: slice, first: int) -> npt.NDArray[np.int64]:
    """Returns the places within a chunk of the tokens from number `first` of the sequence on, [tokens]."""
    length = chunk.stop - chunk.start
    return np.arange(min(max(0, first - chunk.start), length), length)
