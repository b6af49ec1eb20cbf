"""Metrics of labels, one or several of each document."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biogpt_onnx.reporting.bootstrap import FloatArray
from biogpt_onnx.reporting.rates import Metric
from biogpt_onnx.scores.metrics.counts import check_lengths, f1_of_counts, ratio

Label = str


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class.

    Attributes:
        label: the class's name.
        gold: number of documents whose gold labels have it.
        predicted: number of documents whose predicted labels have it.
        precision: share of the predicted documents that are right; 0 if there are none.
        recall: share of the gold documents that are predicted; 0 if there are none.
        f1: harmonic mean of precision and recall.
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
    """Counts, for each document and class, whether the class is both predicted and gold, predicted, and gold.

    Args:
        predicted: the predicted labels of each document; labels that are none of the classes are ignored.
        gold: the gold labels of each document.
        classes: the classes.

    Returns:
        Zeros and ones, [documents, classes * 3].

    Raises:
        ConfigError: there are not as many predictions as gold answers.
    """
    check_lengths(predicted, gold)
    said, true = _indicator(predicted, classes), _indicator(gold, classes)
    return np.stack([said & true, said, true], axis=2).astype(np.float64).reshape(len(gold), -1)


def micro_f1(counts: FloatArray, name: str = "micro F1") -> Metric:
    """Returns the F1 over the labels of all classes together, `average="micro"` in scikit-learn.

    Args:
        counts: see `class_counts`, [documents, classes * 3].
        name: the metric's name.
    """
    return Metric(name, counts, lambda sums: f1_of_counts(_by_class(sums).sum(axis=-2)))


def macro_f1(counts: FloatArray, name: str = "macro F1") -> Metric:
    """Returns the mean of the classes' F1; a class that is neither gold nor predicted has 0, as in scikit-learn.

    If a class has only a handful of documents, these decide its share of the mean, and the interval is too narrow.

    Args:
        counts: see `class_counts`, [documents, classes * 3].
        name: the metric's name.
    """
    return Metric(name, counts, lambda sums: f1_of_counts(_by_class(sums)).mean(axis=-1))


def class_scores(counts: FloatArray, classes: Sequence[Label]) -> tuple[ClassScore, ...]:
    """Returns the scores of each class by itself.

    Args:
        counts: see `class_counts`, [documents, classes * 3].
        classes: the classes, in the order of the counts.
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
