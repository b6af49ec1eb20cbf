"""Report of PubMedQA's scores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.reporting.markdown import table
from biogpt_onnx.reporting.numbers import p_value
from biogpt_onnx.scores.as_published.figures import PublishedFigures, published_section
from biogpt_onnx.scores.as_published.labels import published_answers
from biogpt_onnx.scores.baselines.majority import Labels, majority_baseline
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.scores.metrics.answers import answer_metrics, confusion, correct
from biogpt_onnx.scores.metrics.calibration import Calibration, calibration_of_answers
from biogpt_onnx.scores.metrics.mcnemar import McNemar, mcnemar
from biogpt_onnx.scores.reports.calibration import calibration_section
from biogpt_onnx.scores.reports.comparison import Comparison, System, compare_systems, models_by_name, report_fields
from biogpt_onnx.tasks.published import PUBMEDQA
from biogpt_onnx.tasks.registry import task_title
from biogpt_onnx.tasks.results import Answer


@dataclass(frozen=True)
class AnswerReport:
    """Report of answers to questions.

    Attributes:
        task: the task's name.
        comparison: accuracy and macro F1 of the model, of the majority baseline and perhaps of another model.
        confusion: the model's confusion matrix, `confusion[gold][predicted]`.
        tests: McNemar's test of the model's accuracy beside each other system's, by the systems' names.
        calibrations: the calibration of each model's answers, by the models' names.
        published: each model's figures as Microsoft's programs count them, by its name; empty if not asked for.
    """

    task: str
    comparison: Comparison
    confusion: dict[str, dict[str, int]]
    tests: dict[str, McNemar]
    calibrations: dict[str, Calibration]
    published: dict[str, PublishedFigures] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns the whole report as fields for JSON."""
        return report_fields(self)

    def to_markdown(self) -> str:
        """Returns the report in Markdown."""
        said = list(next(iter(self.confusion.values())))
        confused = table(
            ["true, said", *said],
            [[true, *(f"{row[each]:,}" for each in said)] for true, row in self.confusion.items()],
        )
        parts = [
            f"# {task_title(self.task)}",
            self.comparison.sentences(),
            *self.comparison.tables(),
            *self._tests(),
            confused,
            *calibration_section(self.calibrations),
            *published_section(self.published),
            self.comparison.method(),
        ]
        return "\n\n".join(parts) + "\n"

    def _tests(self) -> Iterator[str]:
        for name, found in self.tests.items():
            yield (
                f"Beside {name}, {self.comparison.name} alone is right on {found.only_first:,} questions and the other "
                f"alone on {found.only_second:,}: McNemar's exact test has p {_equals(found.p_value)}."
            )


def report_answers(  # noqa: PLR0913 -- what is scored, and how it is called
    gold_set: GoldSet[str],
    predictions: Sequence[Answer],
    second: Sequence[Answer] | None = None,
    *,
    task: str = PUBMEDQA.name,
    labels: tuple[str, ...] = PUBMEDQA.labels,
    training: Sequence[str] | None = None,
    names: tuple[str, str] = ("the model", "the other model"),
    resampling: Resampling | None = None,
    as_published: bool = False,
) -> AnswerReport:
    """Scores the answers of one or two models and of the majority baseline.

    Args:
        gold_set: the questions with their gold answers.
        predictions: the model's answer to each question.
        second: another model's answer to each question; None for no other model.
        task: the task's name.
        labels: the answers that a question may have.
        training: gold answers of the training set, in which the majority is counted; None for the gold set itself.
        names: the names of the two in the report.
        resampling: settings of the intervals and tests; None for the defaults.
        as_published: whether to count as Microsoft's programs do as well.

    Raises:
        ConfigError: there are not as many predictions as questions, or a probability is out of range.
    """
    gold = gold_set.gold
    majority = majority_baseline(_sets(gold), None if training is None else _sets(training))
    found = models_by_name(names, predictions, second)
    answers: dict[str, list[str | None]] = {name: [each.label for each in of] for name, of in found.items()}
    others: dict[str, list[str | None]] = {majority.name: [next(iter(majority.labels))] * len(gold)}
    others |= {name: said for name, said in answers.items() if name != names[0]}
    systems = {name: System(name, answer_metrics(said, gold, labels)) for name, said in (answers | others).items()}
    right = correct(answers[names[0]], gold)
    return AnswerReport(
        task,
        compare_systems(systems[names[0]], [systems[majority.name]], systems.get(names[1]), resampling),
        confusion(answers[names[0]], gold, labels),
        {name: mcnemar(right, correct(said, gold)) for name, said in others.items()},
        {name: calibration_of_answers(of, gold) for name, of in found.items()},
        {name: published_answers(gold_set, of) for name, of in found.items()} if as_published else {},
    )


def _sets(answers: Sequence[str]) -> list[Labels]:
    return [frozenset((each,)) for each in answers]


def _equals(value: float) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"
