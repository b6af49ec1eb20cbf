"""Report of the scores of the Hallmarks of Cancer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.reporting.markdown import table
from biogpt_onnx.reporting.numbers import percent
from biogpt_onnx.scores.as_published.figures import PublishedFigures, published_section
from biogpt_onnx.scores.as_published.labels import published_hallmarks
from biogpt_onnx.scores.baselines.majority import Labels, majority_baseline
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.scores.metrics.calibration import Calibration, calibration_of_classes
from biogpt_onnx.scores.metrics.labels import ClassScore, class_counts, class_scores, macro_f1, micro_f1
from biogpt_onnx.scores.reports.calibration import calibration_section
from biogpt_onnx.scores.reports.comparison import Comparison, System, compare_systems, models_by_name, report_fields
from biogpt_onnx.tasks.published import HOC
from biogpt_onnx.tasks.registry import task_title
from biogpt_onnx.tasks.results import Classification


@dataclass(frozen=True)
class HallmarkReport:
    """Report of the hallmarks of sentences.

    Sentences of one abstract resemble each other, but the corpus does not say which these are, so the intervals take
    sentences for independent and are somewhat too narrow.

    Attributes:
        task: the task's name.
        comparison: micro and macro F1 over the hallmarks and "empty", of the model, of the majority baseline and
            perhaps of another model.
        classes: the model's scores of each label.
        calibrations: the calibration of the label that each model names first, by the models' names.
        unlabelled: number of sentences to which the model gave no known label.
        published: each model's figures as Microsoft's programs count them, by its name; empty if not asked for.
    """

    task: str
    comparison: Comparison
    classes: tuple[ClassScore, ...]
    calibrations: dict[str, Calibration]
    unlabelled: int
    published: dict[str, PublishedFigures] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns the whole report as fields for JSON."""
        return report_fields(self)

    def to_markdown(self) -> str:
        """Returns the report in Markdown."""
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
            f"# {task_title(self.task)}",
            self.comparison.sentences(),
            *self.comparison.tables(),
            classes,
            counted,
            *calibration_section(self.calibrations),
            *published_section(self.published),
            self.comparison.method(),
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
    as_published: bool = False,
) -> HallmarkReport:
    """Scores the labels of one or two models and of the majority baseline.

    Args:
        gold_set: the sentences with their gold labels.
        predictions: the model's labels of each sentence.
        second: another model's labels of each sentence; None for no other model.
        task: the task's name.
        labels: the known labels.
        training: gold labels of the training set, in which the majority is counted; None for the gold set itself.
        names: the names of the two in the report.
        resampling: settings of the intervals and tests; None for the defaults.
        as_published: whether to count as Microsoft's programs do as well.

    Raises:
        ConfigError: there are not as many predictions as sentences, or a probability is out of range.
    """
    gold = gold_set.gold

    def system(name: str, predicted: Sequence[Labels]) -> System:
        counts = class_counts(predicted, gold, labels)
        return System(name, (micro_f1(counts), macro_f1(counts)))

    majority = majority_baseline(gold, training)
    baseline = system(majority.name, [majority.labels] * len(gold))
    found = models_by_name(names, predictions, second)
    systems = [system(name, [frozenset(each.labels) for each in of]) for name, of in found.items()]
    predicted = [frozenset(each.labels) for each in predictions]
    return HallmarkReport(
        task,
        compare_systems(systems[0], [baseline], systems[1] if second is not None else None, resampling),
        class_scores(class_counts(predicted, gold, labels), labels),
        {name: calibration_of_classes(of, gold) for name, of in found.items()},
        sum(each.isdisjoint(labels) for each in predicted),
        {name: published_hallmarks(gold_set, of) for name, of in found.items()} if as_published else {},
    )
