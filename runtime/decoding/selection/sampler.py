"""Selection of tokens from logits: the most likely one, or one drawn at random."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def most_likely(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Returns the token with the largest logit of each row, the first of equal ones; [rows, vocab] to [rows]."""
    return np.asarray(logits.argmax(axis=-1), dtype=np.int64)


def log_sum_exp(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Returns the logarithm of the sum of exp of each row [rows, vocab]; [rows], -inf where a row is all -inf."""
    # Row by row, because a row stays in the processor's cache. numpy sums in pairs, so that single precision costs no
    # more than 1e-7 of the sum.
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
    """Returns the log-softmax of each row [rows, vocab] at its token [rows], in nats."""
    selected = logits[np.arange(len(token_ids)), token_ids]
    return np.asarray(selected - log_sum_exp(logits), dtype=np.float64)


def generators(seed: int | None, count: int) -> "list[np.random.Generator]":
    """Returns a random generator for each of a prompt's samples.

    The i-th depends on the seed and i alone, so that a sample depends neither on the number of samples nor on the other
    prompts of its batch.

    Args:
        seed: a whole number of 0 or more; None for different samples each time.
        count: number of samples.
    """
    return [
        np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number,))))
        for number in range(count)
    ]


def sample(logits: npt.NDArray[np.float32], random: "Sequence[np.random.Generator]") -> npt.NDArray[np.int64]:
    """Draws a token from the softmax of each row.

    Each row takes exactly one number from its own generator, so that its token does not depend on the other rows.

    Args:
        logits: [rows, vocab]; -inf for tokens that must not be drawn. No row is all -inf.
        random: a random generator for each row.

    Returns:
        The tokens, [rows].
    """
    drawn = [_draw(row, source.random()) for row, source in zip(logits, random, strict=True)]
    return np.array(drawn, dtype=np.int64)


def _draw(row: npt.NDArray[np.float32], uniform: float) -> int:
    # The inverted cumulative distribution. An excluded token adds nothing to it, so that no number selects it.
    sums = np.exp(row - row.max()).astype(np.float64)
    np.cumsum(sums, out=sums)
    # Rounding may raise the product to the whole sum, which is beyond the last token.
    reached = min(uniform * sums[-1], np.nextafter(sums[-1], 0))
    return int(np.searchsorted(sums, reached, side="right"))
