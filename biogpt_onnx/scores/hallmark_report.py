"""What scoring the Hallmarks of Cancer found."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from biogpt_onnx.scores.calibration import Calibration, calibration_of_classes
from biogpt_onnx.scores.calibration_table import calibration_section
from biogpt_onnx.scores.class_metrics import ClassScore, class_counts, class_scores, macro_f1, micro_f1
from biogpt_onnx.scores.gold_set import GoldSet
from biogpt_onnx.scores.majority import Labels, majority
from biogpt_onnx.scores.markdown import percent, table
from biogpt_onnx.scores.resampling import Resampling
from biogpt_onnx.scores.standing import Standing, System, models_by_name, standing
from biogpt_onnx.tasks.published import HOC
from biogpt_onnx.tasks.registry import task_spec
from biogpt_onnx.tasks.results import Classification


@dataclass(frozen=True)
class HallmarkReport:
    """Sentences and their hallmarks.

    Sentences of one abstract resemble each other, but the corpus does not say which these are, so sentences are drawn
    and the intervals are somewhat too narrow.

    Attributes:
        task: the task's name.
        standing: micro and macro F1 over the hallmarks and "empty", of the model, of the majority's label and perhaps
            of another model.
        classes: the model's scores of each label.
        calibrations: of the label that each model names first, by the models' names.
        unlabelled: sentences to which the model gave no known label.
    """

    task: str
    standing: Standing
    classes: tuple[ClassScore, ...]
    calibrations: dict[str, Calibration]
    unlabelled: int

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {"task": self.task} | self.standing.summary() | dataclasses.asdict(self)

    def to_markdown(self) -> str:
        """The report for people to read."""
        classes = table(
            ["label", "true", "predicted", "precision", "recall", "F1"],
            [
                [
                    each.label,
                    f"{each.gold:,}",
                    f"{each.predicted:,}",
                    *map(percent, (each.precision, each.recall, each.f1)),
                ]
                for each in self.classes
            ],
        )
        counted = f"{self.unlabelled:,} sentences were given no known label."
        parts = [
            f"# {task_spec(self.task).title}",
            self.standing.sentences(),
            *self.standing.tables(),
            classes,
            counted,
            *calibration_section(self.calibrations),
            self.standing.method(),
        ]
        return "\n\n".join(parts) + "\n"


def report_hallmarks(  # noqa: PLR0913 -- what is scored, and how it is called
    gold_set: GoldSet[Labels],
    predictions: Sequence[Classification],
    second: Sequence[Classification] | None = None,
    *,
    task: str = HOC.name,
    labels: tuple[str, ...] = HOC.labels,
    training: Sequence[Labels] | None = None,
    names: tuple[str, str] = ("the model", "the other model"),
    resampling: Resampling | None = None,
) -> HallmarkReport:
    """Scores the labels of one or two models, and the majority's.

    Args:
        gold_set: the sentences.
        predictions: the model's, of each sentence.
        second: another model's, likewise.
        task: the task's name.
        labels: the labels that there are.
        training: the gold of the training set, in which the majority is counted; None for the gold itself.
        names: what the two are called.
        resampling: how intervals and tests draw sentences.

    Raises:
        ConfigError: there are not as many predictions as sentences, or a probability is none.
    """
    gold = gold_set.gold

    def system(name: str, said: Sequence[Labels]) -> System:
        counts = class_counts(said, gold, labels)
        return System(name, (micro_f1(counts), macro_f1(counts)))

    most = majority(gold, training)
    baseline = system(most.name, [most.labels] * len(gold))
    found = models_by_name(names, predictions, second)
    systems = [system(name, [frozenset(each.labels) for each in of]) for name, of in found.items()]
    said = [frozenset(each.labels) for each in predictions]
    return HallmarkReport(
        task,
        standing(systems[0], [baseline], systems[1] if second is not None else None, resampling),
        class_scores(class_counts(said, gold, labels), labels),
        {name: calibration_of_classes(of, gold) for name, of in found.items()},
        sum(each.isdisjoint(labels) for each in said),
    )
