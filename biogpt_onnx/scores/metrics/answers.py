"""Metrics of PubMedQA: accuracy, macro F1 and the confusion matrix of its answers."""

from collections.abc import Sequence

from biogpt_onnx.reporting.rates import Metric
from biogpt_onnx.scores.gold.questions import ANSWERS
from biogpt_onnx.scores.metrics.counts import check_lengths, mean_metric
from biogpt_onnx.scores.metrics.labels import class_counts, macro_f1


def answer_metrics(
    predicted: Sequence[str | None], gold: Sequence[str], labels: tuple[str, ...] = ANSWERS
) -> tuple[Metric, Metric]:
    """Returns the accuracy, and the mean of the labels' F1.

    Args:
        predicted: the answer to each question; None is no answer, and wrong.
        gold: the gold answer to each question.
        labels: the answers that a question may have.

    Raises:
        ConfigError: there are not as many predictions as gold answers.
    """
    check_lengths(predicted, gold)
    said = [frozenset(() if answer is None else (answer,)) for answer in predicted]
    counts = class_counts(said, [frozenset((answer,)) for answer in gold], labels)
    return mean_metric("accuracy", correct(predicted, gold)), macro_f1(counts)


def correct(predicted: Sequence[str | None], gold: Sequence[str]) -> list[bool]:
    """Returns, for each question, whether the predicted answer is the gold one."""
    return [answer == true for answer, true in zip(predicted, gold, strict=True)]


def confusion(
    predicted: Sequence[str | None], gold: Sequence[str], labels: tuple[str, ...] = ANSWERS
) -> dict[str, dict[str, int]]:
    """Returns the confusion matrix `confusion[gold][predicted]`, with "none" for a prediction of no known answer."""
    said = [answer if answer in labels else "none" for answer in predicted]
    pairs = list(zip(gold, said, strict=True))
    return {true: {answer: pairs.count((true, answer)) for answer in (*labels, "none")} for true in labels}
