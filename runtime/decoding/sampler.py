"""Choosing tokens from logits."""

import numpy as np
import numpy.typing as npt


def most_likely(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """The greedy choice: the largest logit of each row, the first of equal ones; [rows, vocab] to [rows]."""
    return np.asarray(logits.argmax(axis=-1), dtype=np.int64)


def log_probabilities(logits: npt.NDArray[np.float32], token_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Log-softmax of each row [rows, vocab] at its token [rows], in nats."""
    largest = logits.max(axis=-1, keepdims=True)
    # Summed in double precision: 42,384 terms cost digits in single.
    log_sum = np.log(np.exp(logits - largest).sum(axis=-1, dtype=np.float64))
    chosen = logits[np.arange(len(token_ids)), token_ids]
    return np.asarray(chosen - largest[:, 0] - log_sum, dtype=np.float64)
