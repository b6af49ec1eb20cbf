"""Reading of several prompts together, chunk by chunk, each into its row of a cache."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.chunks import is_paced, next_chunk
from biogpt_onnx.runtime.backends.cpu.decoder import TreeCacheT, TreeDecoder
from biogpt_onnx.runtime.backends.cpu.prompts import read_one_by_one
from biogpt_onnx.runtime.backends.host_scores import HostTokenScores
from biogpt_onnx.runtime.backends.protocol import Backend, Cache
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.state import SequenceState

_MOST_ROWS = 4
_MOST_TOKENS = 512
"""Most prompts of a pass, and its most tokens with padding: larger passes gain nothing further and take memory."""

_MOST_CAPACITY = 4 * 1024
"""Most tokens for which the rows of a pass have room: attention's scratch memory grows with that."""


def read_prompts_together(
    backend: Backend[TreeCacheT],
    decoder: TreeDecoder[TreeCacheT],
    states: Sequence[SequenceState],
    cache: TreeCacheT,
    limits: Limits,
) -> HostTokenScores:
    """Reads the prompt of each sequence into its row of an empty cache, and returns the scores after each prompt.

    A pass takes chunks of like length of several prompts, if the decoder is ragged. The scores are those of each prompt
    read alone, to the last bit. Where others wait for the passes of this thread, and where prompts are equal or
    continue a prefix, they are read one by one.

    Raises:
        Interrupted: a limit was reached.
    """
    prompts = [state.prompt_ids for state in states]
    most_rows = rows_of_a_pass(cache.capacity)
    is_plain = len(set(prompts)) == len(prompts) and all(state.prefix is None for state in states)
    if not decoder.is_ragged or most_rows == 1 or not is_plain or is_paced():
        return read_one_by_one(backend, states, cache, limits)
    logits = np.empty((len(prompts), decoder.vocab_size), dtype=np.float32)
    while plan := next_pass(cache.lengths.tolist(), list(map(len, prompts)), cache, most_rows):
        limits.check()
        first, chunks = plan
        ended = [row for row, chunk in enumerate(chunks) if chunk.stop == len(prompts[first + row])]
        logits[[first + row for row in ended]] = read_pieces(decoder, cache, prompts, first, chunks, ended)
    return HostTokenScores(logits)


def read_pieces(  # noqa: PLR0913, PLR0917 -- the pass, and what is wanted of it
    decoder: TreeDecoder[TreeCacheT],
    cache: TreeCacheT,
    prompts: Sequence[Sequence[int]],
    first: int,
    chunks: Sequence[slice],
    requested: Sequence[int] = (),
) -> npt.NDArray[np.float32]:
    """Reads a chunk of each of several prompts in one pass.

    Args:
        decoder: the model, which must be ragged.
        cache: cache with a row for each prompt.
        prompts: token ids of each prompt.
        first: row of the first prompt that gets a chunk.
        chunks: chunks of its tokens and of those of the rows behind it.
        requested: numbers of the chunks after which logits are requested, counted from 0.

    Returns:
        Logits after each requested chunk, [requested, vocab].
    """
    num_tokens = np.array([chunk.stop - chunk.start for chunk in chunks])
    ids = np.zeros((len(chunks), num_tokens.max()), dtype=np.int64)
    for row, chunk in enumerate(chunks):
        ids[row, : num_tokens[row]] = prompts[first + row][chunk]
    indices = np.array([row * ids.shape[1] + num_tokens[row] - 1 for row in requested], dtype=np.int64)
    rows = cache.some_rows(first, len(chunks))
    return decoder.forward(ids, rows, logits_indices=indices, num_tokens=num_tokens)


def rows_of_a_pass(capacity: int) -> int:
    """Returns the number of rows, with room for so many tokens each, that are best read in one pass, at least 1."""
    return max(1, min(_MOST_ROWS, _MOST_CAPACITY // capacity))


def next_pass(
    num_read: Sequence[int], lengths: Sequence[int], cache: Cache, most_rows: int = _MOST_ROWS
) -> tuple[int, list[slice]] | None:
    """Returns what the next pass reads: the first row, and the chunks of its tokens and of those of the rows behind it.

    A chunk is no longer than twice another's, so that there is little padding, for which each row has room. A single
    token has a pass of its own, as it rounds otherwise beside longer chunks.

    Args:
        num_read: number of tokens that have been read of each row's.
        lengths: number of tokens of each row.
        cache: cache into which they are read.
        most_rows: most rows of a pass.

    Returns:
        The pass; None if everything is read.
    """
    unread = [row for row, (start, end) in enumerate(zip(num_read, lengths, strict=True)) if start < end]
    if not unread:
        return None
    first, chunks, room = unread[0], list[slice](), (cache.capacity - cache.lengths).tolist()
    for row in range(first, min(first + most_rows, len(lengths))):
        chunk = next_chunk(num_read[row], lengths[row]) if row in unread else slice(0, 0)
        sizes = [each.stop - each.start for each in (*chunks, chunk)]
        is_padded_little = min(sizes) > 1 and max(sizes) <= 2 * min(sizes)
        fits = max(sizes) <= min(room[first : row + 1]) and len(sizes) * max(sizes) <= _MOST_TOKENS
        if row > first and not (is_padded_little and fits):
            break
        chunks.append(chunk)
    return first, chunks
