"""What scoring PubMedQA found."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from biogpt_onnx.scores.answer_metrics import answer_metrics, confusion, correct
from biogpt_onnx.scores.calibration import Calibration, calibration_of_answers
from biogpt_onnx.scores.calibration_table import calibration_section
from biogpt_onnx.scores.gold_set import GoldSet
from biogpt_onnx.scores.majority import Labels, majority
from biogpt_onnx.scores.markdown import probability, table
from biogpt_onnx.scores.mcnemar import McNemar, mcnemar
from biogpt_onnx.scores.resampling import Resampling
from biogpt_onnx.scores.standing import Standing, System, models_by_name, standing
from biogpt_onnx.tasks.published import PUBMEDQA
from biogpt_onnx.tasks.registry import task_spec
from biogpt_onnx.tasks.results import Answer


@dataclass(frozen=True)
class AnswerReport:
    """Questions and their answers.

    Attributes:
        task: the task's name.
        standing: accuracy and macro F1 of the model, of the majority's answer and perhaps of another model.
        confusion: how often the model said what where what was true: `confusion[true][said]`.
        tests: McNemar's test of the model's accuracy beside each of the others, by their names.
        calibrations: of each model's answers, by the models' names.
    """

    task: str
    standing: Standing
    confusion: dict[str, dict[str, int]]
    tests: dict[str, McNemar]
    calibrations: dict[str, Calibration]

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {"task": self.task} | self.standing.summary() | dataclasses.asdict(self)

    def to_markdown(self) -> str:
        """The report for people to read."""
        said = list(next(iter(self.confusion.values())))
        confused = table(
            ["true, said", *said],
            [[true, *(f"{row[each]:,}" for each in said)] for true, row in self.confusion.items()],
        )
        parts = [
            f"# {task_spec(self.task).title}",
            self.standing.sentences(),
            *self.standing.tables(),
            *self._tests(),
            confused,
            *calibration_section(self.calibrations),
            self.standing.method(),
        ]
        return "\n\n".join(parts) + "\n"

    def _tests(self) -> Iterator[str]:
        for name, found in self.tests.items():
            yield (
                f"Beside {name}, {self.standing.name} alone is right on {found.only_first:,} questions and the other "
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
) -> AnswerReport:
    """Scores the answers of one or two models, and the majority's.

    Args:
        gold_set: the questions.
        predictions: the model's, of each question.
        second: another model's, likewise.
        task: the task's name.
        labels: the answers that there are.
        training: the gold of the training set, in which the majority is counted; None for the gold itself.
        names: what the two are called.
        resampling: how intervals and tests draw questions.

    Raises:
        ConfigError: there are not as many predictions as questions, or a probability is none.
    """
    gold = gold_set.gold
    most = majority(_sets(gold), None if training is None else _sets(training))
    found = models_by_name(names, predictions, second)
    answers: dict[str, list[str | None]] = {name: [each.label for each in of] for name, of in found.items()}
    others: dict[str, list[str | None]] = {most.name: [next(iter(most.labels))] * len(gold)}
    others |= {name: said for name, said in answers.items() if name != names[0]}
    systems = {name: System(name, answer_metrics(said, gold, labels)) for name, said in (answers | others).items()}
    right = correct(answers[names[0]], gold)
    return AnswerReport(
        task,
        standing(systems[names[0]], [systems[most.name]], systems.get(names[1]), resampling),
        confusion(answers[names[0]], gold, labels),
        {name: mcnemar(right, correct(said, gold)) for name, said in others.items()},
        {name: calibration_of_answers(of, gold) for name, of in found.items()},
    )


def _sets(answers: Sequence[str]) -> list[Labels]:
    return [frozenset((each,)) for each in answers]


def _equals(p_value: float) -> str:
    text = probability(p_value)
    return text if text.startswith("<") else f"= {text}"
