"""Metrics of labels: one of each document or several."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biogpt_onnx.scores.metric import FloatArray, Metric, check_lengths, f1_of_counts, ratio

Label = str


@dataclass(frozen=True)
class ClassScore:
    """How well one class is found.

    Attributes:
        label: its name.
        gold: documents that have it.
        predicted: documents that are said to have it.
        precision: share of the latter that are among the former; 0 where there are none.
        recall: share of the former that are among the latter, likewise.
        f1: of both.
    """

    label: Label
    gold: int
    predicted: int
    precision: float
    recall: float
    f1: float


def class_counts(
    predicted: Sequence[AbstractSet[Label]], gold: Sequence[AbstractSet[Label]], classes: Sequence[Label]
) -> FloatArray:
    """Of each document and class: whether it is predicted and true, predicted, and true. [documents, classes * 3].

    Labels that are none of the classes count as not said.

    Raises:
        ConfigError: there are not as many predictions as gold answers.
    """
    check_lengths(predicted, gold)
    said, true = _indicator(predicted, classes), _indicator(gold, classes)
    return np.stack([said & true, said, true], axis=2).astype(np.float64).reshape(len(gold), -1)


def micro_f1(counts: FloatArray, name: str = "micro F1") -> Metric:
    """F1 over the labels of all classes together, as of scikit-learn's indicator matrices with `average="micro"`.

    Args:
        counts: see `class_counts`.
        name: what it is called.
    """
    return Metric(name, counts, lambda sums: f1_of_counts(_by_class(sums).sum(axis=-2)))


def macro_f1(counts: FloatArray, name: str = "macro F1") -> Metric:
    """The mean of the classes' F1; a class that is neither true nor predicted anywhere has 0, as in scikit-learn.

    Where a class is that of a handful of documents, draws of documents miss it at times, and the interval lies low.

    Args:
        counts: see `class_counts`.
        name: what it is called.
    """
    return Metric(name, counts, lambda sums: f1_of_counts(_by_class(sums)).mean(axis=-1))


def class_scores(counts: FloatArray, classes: Sequence[Label]) -> tuple[ClassScore, ...]:
    """Each class by itself.

    Args:
        counts: see `class_counts`.
        classes: their names.
    """
    sums = _by_class(counts.sum(axis=0))
    precision, recall = ratio(sums[:, 0], sums[:, 1]), ratio(sums[:, 0], sums[:, 2])
    return tuple(
        ClassScore(label, int(row[2]), int(row[1]), *map(float, scores))
        for label, row, *scores in zip(classes, sums, precision, recall, f1_of_counts(sums), strict=True)
    )


def _indicator(found: Sequence[AbstractSet[Label]], classes: Sequence[Label]) -> npt.NDArray[np.bool_]:
    return np.array([[label in labels for label in classes] for labels in found], dtype=np.bool_)


def _by_class(sums: FloatArray) -> FloatArray:
    return sums.reshape(*sums.shape[:-1], -1, 3)  # [..., classes, 3]
