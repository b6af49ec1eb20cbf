"""Divergence of two models' predictions of the next token on the same text."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

TOP_K = 5
"""Number of the most likely tokens that are compared as a set."""

# Rows that are compared at a time: in double precision they take 11 MB with a large vocabulary, a whole chunk of logits
# would take 170.
_BLOCK_ROWS = 32

Logits = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Divergence:
    """Divergence of a model from its baseline, summed over the tokens of a text.

    Attributes:
        num_tokens: tokens that were predicted.
        nll: negative log-likelihood of the text by the model, in nats.
        baseline_nll: negative log-likelihood of the text by the baseline, in nats.
        kl_divergence: KL(baseline || model) of the next token's distribution, in nats.
        top_1_equal: positions at which both models have the same most likely token.
        top_k_overlap: share of the baseline's `TOP_K` most likely tokens that are among the model's.
    """

    num_tokens: int
    nll: float
    baseline_nll: float
    kl_divergence: float
    top_1_equal: int
    top_k_overlap: float

    @classmethod
    def total(cls, parts: Iterable["Divergence"]) -> "Divergence":
        """Returns the divergence on several pieces of text together."""
        parts = list(parts)
        return cls(*(sum(getattr(part, field.name) for part in parts) for field in fields(cls)))


def divergence(baseline: Logits, logits: Logits, targets: npt.NDArray[np.int64]) -> Divergence:
    """Compares the predictions of a piece of text.

    Args:
        baseline: baseline's logits, [tokens, vocab].
        logits: model's logits, [tokens, vocab].
        targets: next tokens of the text, [tokens].
    """
    starts = range(0, len(targets), _BLOCK_ROWS)
    blocks = [slice(start, start + _BLOCK_ROWS) for start in starts]
    return Divergence.total(_block_divergence(baseline[rows], logits[rows], targets[rows]) for rows in blocks)


def log_softmax(logits: Logits) -> Floats:
    """Computes log-probabilities [tokens, vocab] in double precision, because compared models differ by little."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def kl_divergence(baseline: Floats, ours: Floats) -> Floats:
    """Computes KL(baseline || ours) of each token, in nats, [tokens].

    Args:
        baseline: log-probabilities, [tokens, vocab].
        ours: log-probabilities, [tokens, vocab].
    """
    summed = np.sum(np.exp(baseline) * (baseline - ours), axis=-1)
    # Never negative, but for rounding.
    clipped: Floats = np.maximum(summed, 0)
    return clipped


def top_k_overlap(baseline: Logits | Floats, ours: Logits | Floats, k: int = TOP_K) -> Floats:
    """Computes the share of the baseline's `k` largest entries of each row that are among ours, [rows].

    Args:
        baseline: [rows, vocab].
        ours: [rows, vocab].
        k: number of entries; all of a shorter row.
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
        # Of the logits, because two that differ may have equal log-probabilities.
        top_1_equal=int(np.sum(baseline.argmax(axis=-1) == logits.argmax(axis=-1))),
        top_k_overlap=float(top_k_overlap(baseline, logits).sum()),
    )
