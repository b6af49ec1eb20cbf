"""Whether a model is right as often as it says: of what it holds to be 80 % likely, are 80 % true?"""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.metric import FloatArray
from biogpt_onnx.tasks.results import Answer, Classification

BINS = 15
# Probabilities that were divided by their sum may be so far above 1.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Bin:
    """The answers of about one confidence.

    Attributes:
        low: their confidence is above this; in the first bin also equal to it.
        high: and at most this.
        count: how many they are.
        confidence: their mean confidence; None where there are none.
        accuracy: the share that is right, likewise.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """How far confidence is from accuracy.

    Attributes:
        error: the expected calibration error, from 0 to 1.
        count: answers that it is computed of.
        left_out: answers that name no known label, and have no confidence.
        bins: the reliability table, from low to high confidence.
    """

    error: float
    count: int
    left_out: int
    bins: tuple[Bin, ...]


def calibration(
    confidences: Sequence[float], correct: Sequence[bool], *, bins: int = BINS, left_out: int = 0
) -> Calibration:
    """Sorts answers into bins of equal width by their confidence, and compares each bin's accuracy with it.

    The error is the sum over bins of (answers in it / all answers) * |accuracy - mean confidence| (Guo et al., On
    Calibration of Modern Neural Networks, 2017, equation 3, with their 15 bins). It has no interval: the error of draws
    of answers is in the mean above that of the answers themselves, so the bootstrap's would lie too high.

    Args:
        confidences: the probability that the model gave to its answer, of each.
        correct: whether the answer was right, of each.
        bins: how many.
        left_out: answers without a confidence, to be reported.

    Raises:
        ConfigError: the two are not as many, there are no bins, or a confidence is no probability.
    """
    if len(confidences) != len(correct):
        raise ConfigError(f"{len(confidences)} confidences for {len(correct)} answers: give one for each")
    if bins < 1:
        raise ConfigError(f"bins is {bins}: give at least 1")
    for confidence in confidences:
        if not -_ROUNDING <= confidence <= 1 + _ROUNDING:  # what is no number is not either
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
    """How much the answers' probabilities can be relied on.

    Raises:
        ConfigError: there are not as many predictions as gold answers, or a probability is none.
    """
    chosen = [(each.label, each.probabilities) for each in predictions]
    return _of_labels(chosen, [frozenset((answer,)) for answer in gold])


def calibration_of_classes(predictions: Sequence[Classification], gold: Sequence[AbstractSet[str]]) -> Calibration:
    """How much the probabilities of the labels named first can be relied on: each is right where it is among the gold.

    Raises:
        ConfigError: there are not as many predictions as gold answers, or a probability is none.
    """
    return _of_labels([(next(iter(each.labels), None), each.probabilities) for each in predictions], gold)


def _of_labels(
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
