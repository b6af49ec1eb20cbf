"""Numbers that are computed from sums over documents, so that documents can be drawn anew."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.errors import ConfigError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Metric:
    """A metric over documents.

    Attributes:
        name: what the field calls it.
        counts: what each document adds, [documents, quantities].
        of_sums: the metric of their sums, [..., quantities] to [...].
    """

    name: str
    counts: FloatArray
    of_sums: Callable[[FloatArray], FloatArray]

    @property
    def value(self) -> float:
        """Over all documents."""
        return float(self.of_sums(self.counts.sum(axis=0)))


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """One over the other; 0 where there is nothing below, as scikit-learn has it too."""
    below = np.asarray(below)
    return np.divide(above, below, out=np.zeros_like(below), where=below != 0)


def harmonic_mean(precision: FloatArray, recall: FloatArray) -> FloatArray:
    """F1 of a precision and a recall."""
    return ratio(2 * precision * recall, precision + recall)


def match_counts(predicted: Sequence[AbstractSet[Any]], gold: Sequence[AbstractSet[Any]]) -> FloatArray:
    """Of each document: facts that are predicted and true, that are predicted, and that are true. [documents, 3].

    Raises:
        ConfigError: there are not as many predictions as truths.
    """
    check_lengths(predicted, gold)
    rows = [(len(said & true), len(said), len(true)) for said, true in zip(predicted, gold, strict=True)]
    return np.array(rows, dtype=np.float64)


def micro_metrics(counts: FloatArray, prefix: str = "") -> tuple[Metric, Metric, Metric]:
    """F1, precision and recall over the facts of all documents together.

    Args:
        counts: see `match_counts`.
        prefix: what stands before their names.
    """
    return (
        Metric(f"{prefix}F1", counts, f1_of_counts),
        Metric(f"{prefix}precision", counts, lambda sums: ratio(sums[..., 0], sums[..., 1])),
        Metric(f"{prefix}recall", counts, lambda sums: ratio(sums[..., 0], sums[..., 2])),
    )


def f1_of_counts(sums: FloatArray) -> FloatArray:
    """F1 of `match_counts`, [..., 3] to [...]."""
    return ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


def mean_metric(name: str, values: Sequence[float]) -> Metric:
    """The mean over documents."""
    counts = np.array([(value, 1) for value in values], dtype=np.float64)
    return Metric(name, counts, lambda sums: ratio(sums[..., 0], sums[..., 1]))


def check_lengths(predicted: Sequence[object], gold: Sequence[object]) -> None:
    """Refuses predictions that are not one for each gold answer.

    Raises:
        ConfigError: they are more or fewer.
    """
    if len(predicted) != len(gold):
        raise ConfigError(f"{len(predicted)} predictions for {len(gold)} gold documents: give one for each")
