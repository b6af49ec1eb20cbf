"""Choosing tokens from logits."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def most_likely(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """The greedy choice: the largest logit of each row, the first of equal ones; [rows, vocab] to [rows]."""
    return np.asarray(logits.argmax(axis=-1), dtype=np.int64)


def log_sum_exp(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The logarithm of the sum of exp of each row [rows, vocab]; [rows], -inf where a row is nothing but -inf."""
    # Row by row, because a row stays in the processor's cache. numpy sums in pairs, so single precision costs nothing
    # that matters: 1e-7 of the sum.
    sums = np.empty(len(logits), dtype=np.float64)
    shifted = np.empty(logits.shape[1:], dtype=np.float32)
    for number, row in enumerate(logits):
        largest = row.max()
        if np.isneginf(largest):
            sums[number] = -np.inf
            continue
        np.subtract(row, largest, out=shifted)
        np.exp(shifted, out=shifted)
        sums[number] = math.log(shifted.sum()) + float(largest)
    return sums


def log_probabilities(logits: npt.NDArray[np.float32], token_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Log-softmax of each row [rows, vocab] at its token [rows], in nats."""
    chosen = logits[np.arange(len(token_ids)), token_ids]
    return np.asarray(chosen - log_sum_exp(logits), dtype=np.float64)


def generators(seed: int | None, count: int) -> list[np.random.Generator]:
    """Sources of chance for a prompt's samples.

    The i-th depends on the seed and i alone: a sample is the same however many there are, and whatever other prompts
    stand beside it.

    Args:
        seed: a whole number of 0 or more; None for other samples each time.
        count: how many samples.
    """
    return [
        np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number,))))
        for number in range(count)
    ]


def sample(logits: npt.NDArray[np.float32], random: Sequence[np.random.Generator]) -> npt.NDArray[np.int64]:
    """Draws a token from the softmax of each row.

    Each row takes exactly one number from its own generator, so what it draws does not depend on its neighbours.

    Args:
        logits: [rows, vocab]; -inf for tokens that must not be drawn. No row is nothing but -inf.
        random: a generator for each row.

    Returns:
        The tokens, [rows].
    """
    drawn = [_draw(row, source.random()) for row, source in zip(logits, random, strict=True)]
    return np.array(drawn, dtype=np.int64)


def _draw(row: npt.NDArray[np.float32], uniform: float) -> int:
    # The cumulative distribution, inverted. An excluded token adds nothing to it, so that no number leads there.
    sums = np.exp(row - row.max()).astype(np.float64)
    np.cumsum(sums, out=sums)
    # Rounding may bring the product up to the whole sum, where there is no token any more.
    reached = min(uniform * sums[-1], np.nextafter(sums[-1], 0))
    return int(np.searchsorted(sums, reached, side="right"))
