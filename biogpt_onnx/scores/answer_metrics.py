"""PubMedQA: how often the answer is right, and how well each answer is found."""

from collections.abc import Sequence

from biogpt_onnx.scores.class_metrics import class_counts, macro_f1
from biogpt_onnx.scores.metric import Metric, check_lengths, mean_metric
from biogpt_onnx.scores.question_gold import ANSWERS


def answer_metrics(
    predicted: Sequence[str | None], gold: Sequence[str], labels: tuple[str, ...] = ANSWERS
) -> tuple[Metric, Metric]:
    """Accuracy, and the mean of the labels' F1; None is no answer, and wrong.

    Raises:
        ConfigError: there are not as many predictions as gold answers.
    """
    check_lengths(predicted, gold)
    said = [frozenset(() if answer is None else (answer,)) for answer in predicted]
    counts = class_counts(said, [frozenset((answer,)) for answer in gold], labels)
    return mean_metric("accuracy", correct(predicted, gold)), macro_f1(counts)


def correct(predicted: Sequence[str | None], gold: Sequence[str]) -> list[bool]:
    """Whether each answer is right."""
    return [answer == true for answer, true in zip(predicted, gold, strict=True)]


def confusion(
    predicted: Sequence[str | None], gold: Sequence[str], labels: tuple[str, ...] = ANSWERS
) -> dict[str, dict[str, int]]:
    """How often what was said where what was true: `confusion[true][said]`, with "none" for no known answer."""
    said = [answer if answer in labels else "none" for answer in predicted]
    pairs = list(zip(gold, said, strict=True))
    return {true: {answer: pairs.count((true, answer)) for answer in (*labels, "none")} for true in labels}
