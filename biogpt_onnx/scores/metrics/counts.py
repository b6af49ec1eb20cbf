"""Counts of documents, and the metrics of their sums: precision, recall, F1 and the mean."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from biogpt_onnx.reporting.bootstrap import FloatArray
from biogpt_onnx.reporting.rates import Metric
from biogpt_onnx.runtime.errors import ConfigError


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Divides elementwise; 0 where the divisor is 0, as in scikit-learn."""
    below = np.asarray(below)
    return np.divide(above, below, out=np.zeros_like(below), where=below != 0)


def harmonic_mean(precision: FloatArray, recall: FloatArray) -> FloatArray:
    """Returns the F1 of precisions and recalls."""
    return ratio(2 * precision * recall, precision + recall)


def match_counts(predicted: Sequence[AbstractSet[Any]], gold: Sequence[AbstractSet[Any]]) -> FloatArray:
    """Counts, in each document, facts that are both predicted and gold, predicted ones, and gold ones.

    Args:
        predicted: the predicted facts of each document.
        gold: the gold facts of each document.

    Returns:
        The counts, [documents, 3].

    Raises:
        ConfigError: there are not as many predictions as gold answers.
    """
    check_lengths(predicted, gold)
    rows = [(len(said & true), len(said), len(true)) for said, true in zip(predicted, gold, strict=True)]
    return np.array(rows, dtype=np.float64)


def micro_metrics(counts: FloatArray, prefix: str = "") -> tuple[Metric, Metric, Metric]:
    """Returns F1, precision and recall over the facts of all documents together.

    Args:
        counts: see `match_counts`, [documents, 3].
        prefix: precedes the metrics' names.
    """
    return (
        Metric(f"{prefix}F1", counts, f1_of_counts, lambda sums: sums[..., 1] + sums[..., 2]),
        Metric(f"{prefix}precision", counts, lambda sums: ratio(sums[..., 0], sums[..., 1]), lambda sums: sums[..., 1]),
        Metric(f"{prefix}recall", counts, lambda sums: ratio(sums[..., 0], sums[..., 2]), lambda sums: sums[..., 2]),
    )


def f1_of_counts(sums: FloatArray) -> FloatArray:
    """Returns the F1 of sums of `match_counts`, [..., 3] to [...]."""
    return ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


def mean_metric(name: str, values: Sequence[float]) -> Metric:
    """Returns the mean of a value over documents.

    Args:
        name: the metric's name.
        values: the value of each document.
    """
    counts = np.array([(value, 1) for value in values], dtype=np.float64)
    return Metric(name, counts, lambda sums: ratio(sums[..., 0], sums[..., 1]))


def check_lengths(predicted: Sequence[object], gold: Sequence[object]) -> None:
    """Refuses predictions that are more or fewer than the gold answers.

    Raises:
        ConfigError: they are more or fewer.
    """
    if len(predicted) != len(gold):
        raise ConfigError(f"{len(predicted)} predictions for {len(gold)} gold documents: give one for each")
