"""Exchange test of two systems on the same documents: an exact permutation test where documents are few.

If both systems were equally good, either could have given either result of a document. The p-value is the share of all
exchanges of the two's results, document by document, after which they differ at least as much as they do (Noreen,
Computer-Intensive Methods for Testing Hypotheses, 1989; Yeh, More Accurate Tests for the Statistical Significance of
Result Differences, 2000). With n documents in which they differ none can be below 2 / 2^n: three documents never
have a p below 0.25.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from biogpt_onnx.reporting.bootstrap import FloatArray, Resampling

MOST_EXACT = 14
"""Most documents with different results of which all exchanges, 2^14, are tried; of more, some are drawn."""

_TRIED_AT_A_TIME = 1_000_000
# Sums of equal numbers in different orders may differ by this much.
_ROUNDING = 1e-12


def exchange_test(
    counts: FloatArray, others: FloatArray, of_sums: Callable[[FloatArray], FloatArray], resampling: Resampling
) -> float:
    """Returns the two-sided p-value of the difference between two systems.

    Where exchanges are drawn, the observed one is counted among them (Davison and Hinkley, Bootstrap Methods and their
    Application, 1997, section 4.2), so that no p-value is 0.

    Args:
        counts: summands of the first system in each document, [documents, quantities].
        others: those of the second system.
        of_sums: computes the metric from sums, [..., quantities] to [...].
        resampling: number and seed of the draws.
    """
    sums, other_sums = counts.sum(axis=0), others.sum(axis=0)
    changes = (others - counts)[np.any(counts != others, axis=1)]
    observed = abs(float(of_sums(sums) - of_sums(other_sums)))
    is_exact = len(changes) <= MOST_EXACT
    trials = _all_exchanges(len(changes)) if is_exact else _drawn_exchanges(len(changes), resampling)
    tried = as_large = 0
    for exchanged in trials:
        moved = exchanged.astype(np.float64) @ changes
        found = np.abs(of_sums(sums + moved) - of_sums(other_sums - moved))
        tried += len(exchanged)
        as_large += int(np.count_nonzero(found >= observed - _ROUNDING))
    return as_large / tried if is_exact else (1 + as_large) / (1 + tried)


def _all_exchanges(documents: int) -> Iterator[npt.NDArray[np.bool_]]:
    """Yields which documents are exchanged, in every possible way, [2^documents, documents]."""
    numbers = np.arange(1 << documents)[:, np.newaxis]
    yield (numbers >> np.arange(documents)) % 2 == 1


def _drawn_exchanges(documents: int, resampling: Resampling) -> Iterator[npt.NDArray[np.bool_]]:
    generator = np.random.default_rng(resampling.seed)
    block = max(1, _TRIED_AT_A_TIME // documents)
    for start in range(0, resampling.resamples, block):
        yield generator.random((min(block, resampling.resamples - start), documents)) < 0.5  # noqa: PLR2004 -- a coin
