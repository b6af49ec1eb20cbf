"""Reading of several prompts together, chunk by chunk, each into its row of a cache."""

from collections.abc import Sequence

import numpy as np

from biogpt_onnx.runtime.backends.chunks import is_paced, next_chunk
from biogpt_onnx.runtime.backends.cpu.decoder import TreeCacheT, TreeDecoder
from biogpt_onnx.runtime.backends.cpu.prompts import read_one_by_one
from biogpt_onnx.runtime.backends.host_scores import HostTokenScores
from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.state import SequenceState

_MOST_ROWS = 4
"""Most prompts of a pass: weights are read once for all of them, and more than four gain nothing further."""

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
    most_rows = min(_MOST_ROWS, _MOST_CAPACITY // cache.capacity)
    is_plain = len(set(prompts)) == len(prompts) and all(state.prefix is None for state in states)
    if not decoder.is_ragged or most_rows < 2 or not is_plain or is_paced():  # noqa: PLR2004 -- none beside it
        return read_one_by_one(backend, states, cache, limits)
    logits = np.empty((len(prompts), decoder.vocab_size), dtype=np.float32)
    while plan := next_pass(cache.lengths.tolist(), list(map(len, prompts)), most_rows):
        limits.check()
        first, chunks = plan
        ids = np.zeros((len(chunks), max(chunk.stop - chunk.start for chunk in chunks)), dtype=np.int64)
        num_tokens = np.array([chunk.stop - chunk.start for chunk in chunks])
        for row, chunk in enumerate(chunks):
            ids[row, : num_tokens[row]] = prompts[first + row][chunk]
        ended = [row for row, chunk in enumerate(chunks) if chunk.stop == len(prompts[first + row])]
        indices = np.array([row * ids.shape[1] + num_tokens[row] - 1 for row in ended], dtype=np.int64)
        logits[[first + row for row in ended]] = decoder.forward(
            ids, cache.some_rows(first, len(chunks)), logits_indices=indices, num_tokens=num_tokens
        )
    return HostTokenScores(logits)


def next_pass(
    num_read: Sequence[int], lengths: Sequence[int], most_rows: int = _MOST_ROWS
) -> tuple[int, list[slice]] | None:
    """Returns what the next pass reads: the first row, and the chunks of its prompt and those in the rows behind it.

    A chunk is no longer than twice another's, so that there is little padding. A single token has a pass of its own,
    as it rounds otherwise beside longer chunks.

    Args:
        num_read: number of tokens that have been read of each prompt.
        lengths: number of tokens of each prompt.
        most_rows: most prompts of a pass.

    Returns:
        The pass; None if all prompts are read.
    """
    unread = [row for row, (start, end) in enumerate(zip(num_read, lengths, strict=True)) if start < end]
    if not unread:
        return None
    first, chunks = unread[0], list[slice]()
    for row in range(first, min(first + most_rows, len(lengths))):
        if row not in unread:
            break
        chunks.append(next_chunk(num_read[row], lengths[row]))
        sizes = [chunk.stop - chunk.start for chunk in chunks]
        if len(chunks) > 1 and (min(sizes) == 1 or max(sizes) > 2 * min(sizes)):
            return first, chunks[:-1]
    return first, chunks
