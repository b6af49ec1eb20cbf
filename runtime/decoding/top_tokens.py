"""The most probable next tokens, read from the scores of a step before any rule changes these."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import Backend, CacheT, TokenScores
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.selection.sampler import log_probabilities, log_sum_exp

TopTokens = tuple[tuple[int, float], ...]
"""The most probable tokens at a place, best first: their ids and log-probabilities in nats."""


def top_tokens(scores: TokenScores, count: int) -> list[TopTokens]:
    """Returns the `count` most probable tokens of each row, of equally probable ones the first of the vocabulary.

    Where the device selects the most likely tokens itself, any of those that are as probable as the last one may be
    among them.
    """
    selected = scores.top_tokens(count) if scores.prefers_parts else None
    if selected is not None:
        return [_best_first(*row)[:count] for row in zip(*selected, strict=True)]
    logits = scores.logits()
    normalizers = log_sum_exp(logits)
    found = []
    for row, normalizer in zip(logits, normalizers, strict=True):
        ids = _candidates(row, count)
        found.append(_best_first(ids, row[ids] - normalizer)[:count])
    return found


def scored_tokens(
    backend: Backend[CacheT],
    prompt_ids: Sequence[int],
    prefix: Prefix[CacheT] | None,
    token_ids: Sequence[int],
    count: int,
) -> Iterator[tuple[float, TopTokens]]:
    """Yields the log-probability of each token behind a prompt, in nats, and the most probable tokens at its place.

    The log-probabilities are those of `Backend.score_tokens`.

    Args:
        backend: the backend that runs the model.
        prompt_ids: token ids of the prompt.
        prefix: prefix that the prompt may begin with.
        token_ids: ids of the tokens.
        count: number of most probable tokens.
    """
    first = 0
    for scores in backend.scores_of_tokens(prompt_ids, prefix, token_ids):
        top = top_tokens(scores, count)
        tokens = np.array(token_ids[first : first + len(top)], dtype=np.int64)
        first += len(top)
        yield from zip(log_probabilities_of(scores, tokens), top, strict=True)


def log_probabilities_of(scores: TokenScores, tokens: npt.NDArray[np.int64]) -> list[float]:
    """Returns the log-probability of one token of each row [rows], in nats."""
    if scores.prefers_parts:
        return [float(value) for value in scores.log_probabilities(np.arange(len(tokens)), tokens)]
    return [float(value) for value in log_probabilities(scores.logits(), tokens)]


def _candidates(logits: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """Returns the ids, ascending, of all logits [vocab] that are as large as the `count`-th largest."""
    count = min(count, len(logits))
    return np.flatnonzero(logits >= np.partition(logits, -count)[-count])


def _best_first(ids: npt.NDArray[np.int64], scores: npt.NDArray[np.floating]) -> TopTokens:
    pairs = zip(ids.tolist(), scores.tolist(), strict=True)
    return tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
