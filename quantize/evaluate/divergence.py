"""How far one model's predictions of the next token are from another's, on the same text."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

TOP_K = 5
"""How many of the most likely tokens are compared as a set."""

# Double precision of so many rows of a large vocabulary takes 11 MB; of a whole chunk it would take 170.
_BLOCK_ROWS = 32

Logits = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Divergence:
    """Sums over the tokens of a text.

    Attributes:
        num_tokens: tokens that were predicted.
        nll: negative log-likelihood of the text, in nats.
        baseline_nll: likewise, by the baseline.
        kl_divergence: of the model's predictions from the baseline's, KL(baseline || model), in nats.
        top_1_equal: tokens for which both find the same one most likely.
        top_k_overlap: shares of the baseline's `TOP_K` most likely tokens that are among the model's, added up.
    """

    num_tokens: int
    nll: float
    baseline_nll: float
    kl_divergence: float
    top_1_equal: int
    top_k_overlap: float

    @classmethod
    def total(cls, parts: Iterable["Divergence"]) -> "Divergence":
        """That of several pieces of text together."""
        parts = list(parts)
        return cls(*(sum(getattr(part, field.name) for part in parts) for field in fields(cls)))


def divergence(baseline: Logits, logits: Logits, targets: npt.NDArray[np.int64]) -> Divergence:
    """Compares the predictions of a piece of text.

    Args:
        baseline: the baseline's logits, [tokens, vocab].
        logits: the model's, [tokens, vocab].
        targets: the tokens that came, [tokens].
    """
    starts = range(0, len(targets), _BLOCK_ROWS)
    blocks = [slice(start, start + _BLOCK_ROWS) for start in starts]
    return Divergence.total(_block_divergence(baseline[rows], logits[rows], targets[rows]) for rows in blocks)


def log_softmax(logits: Logits) -> Floats:
    """Log-probabilities [tokens, vocab], in double precision: what is compared differs by little."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def kl_divergence(baseline: Floats, ours: Floats) -> Floats:
    """KL(baseline || ours) of each token, in nats, [tokens].

    Args:
        baseline: log-probabilities, [tokens, vocab].
        ours: log-probabilities, [tokens, vocab].
    """
    summed = np.sum(np.exp(baseline) * (baseline - ours), axis=-1)
    # It is never negative, which rounding does not know.
    clipped: Floats = np.maximum(summed, 0)
    return clipped


def top_k_overlap(baseline: Logits | Floats, ours: Logits | Floats, k: int = TOP_K) -> Floats:
    """The share of the baseline's `k` largest entries of each row that are among ours, [rows]; all if there are fewer.

    Args:
        baseline: [rows, vocab].
        ours: [rows, vocab].
        k: entries.
    """
    k = min(k, baseline.shape[-1])
    first, second = (np.argpartition(values, -k, axis=-1)[:, -k:] for values in (baseline, ours))
    shared: Floats = (first[:, :, None] == second[:, None, :]).sum(axis=(1, 2)) / k
    return shared


def _block_divergence(baseline: Logits, logits: Logits, targets: npt.NDArray[np.int64]) -> Divergence:
    theirs, ours = log_softmax(baseline), log_softmax(logits)
    rows = np.arange(len(targets))
    return Divergence(
        num_tokens=len(targets),
        nll=float(-ours[rows, targets].sum()),
        baseline_nll=float(-theirs[rows, targets].sum()),
        kl_divergence=float(kl_divergence(theirs, ours).sum()),
        # Of the logits themselves: two that differ may have log-probabilities that do not.
        top_1_equal=int(np.sum(baseline.argmax(axis=-1) == logits.argmax(axis=-1))),
        top_k_overlap=float(top_k_overlap(baseline, logits).sum()),
    )
