"""Calibration of a model's probabilities: of answers given with a confidence of 80 %, are 80 % right?"""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from biogpt_onnx.reporting.bootstrap import FloatArray
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.results import Answer, Classification

BINS = 15
# Rounding may bring normalized probabilities this far outside 0 and 1.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Bin:
    """Bin of a reliability table: the answers of similar confidence.

    Attributes:
        low: lower bound of the confidence, which belongs to the first bin alone.
        high: upper bound of the confidence, which belongs to the bin.
        count: number of answers.
        confidence: their mean confidence; None if there are none.
        accuracy: the share of them that is right; None if there are none.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error and reliability table.

    Attributes:
        error: the expected calibration error, from 0 to 1.
        count: number of answers with a confidence.
        left_out: number of answers that name no known label, and so have no confidence.
        bins: the reliability table, from low to high confidence.
    """

    error: float
    count: int
    left_out: int
    bins: tuple[Bin, ...]


def calibration(
    confidences: Sequence[float], correct: Sequence[bool], *, bins: int = BINS, left_out: int = 0
) -> Calibration:
    """Sorts answers into bins of equal width by confidence, and compares each bin's confidence with its accuracy.

    The error is the sum over bins of (answers in it / all answers) * |accuracy - mean confidence| (Guo et al., On
    Calibration of Modern Neural Networks, 2017, equation 3, with their 15 bins). It has no interval: the error of
    bootstrap draws is on average above that of the answers themselves, so the interval would lie too high.

    Args:
        confidences: the probability that the model gave to each of its answers.
        correct: whether each answer is right.
        bins: number of bins.
        left_out: number of answers without a confidence, for `Calibration.left_out`.

    Raises:
        ConfigError: there are not as many confidences as answers, there are no bins, or a confidence is no
            probability.
    """
    if len(confidences) != len(correct):
        raise ConfigError(f"{len(confidences)} confidences for {len(correct)} answers: give one for each")
    if bins < 1:
        raise ConfigError(f"bins is {bins}: give at least 1")
    for confidence in confidences:
        if not -_ROUNDING <= confidence <= 1 + _ROUNDING:  # NaN is refused too
            raise ConfigError(f"a confidence is {confidence}: give probabilities from 0 to 1")
    edges = np.linspace(0, 1, bins + 1)
    values = np.clip(np.asarray(confidences, dtype=np.float64), 0, 1)
    rights = np.asarray(correct, dtype=np.float64)
    numbers = np.maximum(np.searchsorted(edges, values, side="left") - 1, 0)
    found = tuple(
        _bin(float(edges[number]), float(edges[number + 1]), values[numbers == number], rights[numbers == number])
        for number in range(bins)
    )
    gaps = [each.count * abs((each.accuracy or 0.0) - (each.confidence or 0.0)) for each in found]
    return Calibration(math.fsum(gaps) / max(1, len(values)), len(values), left_out, found)


def calibration_of_answers(predictions: Sequence[Answer], gold: Sequence[str]) -> Calibration:
    """Computes the calibration of answers, whose confidence is the probability of the predicted one.

    Args:
        predictions: the answer to each question.
        gold: the gold answer to each question.

    Raises:
        ConfigError: there are not as many predictions as gold answers, or a probability is out of range.
    """
    chosen = [(each.label, each.probabilities) for each in predictions]
    return _calibration_of_labels(chosen, [frozenset((answer,)) for answer in gold])


def calibration_of_classes(predictions: Sequence[Classification], gold: Sequence[AbstractSet[str]]) -> Calibration:
    """Computes the calibration of the label that is named first, which is right if it is among the gold labels.

    Args:
        predictions: the labels of each document.
        gold: the gold labels of each document.

    Raises:
        ConfigError: there are not as many predictions as gold answers, or a probability is out of range.
    """
    return _calibration_of_labels([(next(iter(each.labels), None), each.probabilities) for each in predictions], gold)


def _calibration_of_labels(
    chosen: Sequence[tuple[str | None, Mapping[str, float]]], gold: Sequence[AbstractSet[str]]
) -> Calibration:
    if len(chosen) != len(gold):
        raise ConfigError(f"{len(chosen)} predictions for {len(gold)} gold documents: give one for each")
    known = [
        (probabilities[label], label in true)
        for (label, probabilities), true in zip(chosen, gold, strict=True)
        if label is not None and label in probabilities
    ]
    confidences, correct = [confidence for confidence, _ in known], [right for _, right in known]
    return calibration(confidences, correct, left_out=len(gold) - len(known))


def _bin(low: float, high: float, confidences: FloatArray, rights: FloatArray) -> Bin:
    if not len(confidences):
        return Bin(low, high, 0, None, None)
    return Bin(low, high, len(confidences), float(confidences.mean()), float(rights.mean()))
