"""Reports by the name of their task."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.as_published.figures import check_published
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.scores.metrics.calibration import Calibration
from biogpt_onnx.tasks.registry import task_spec
from biogpt_onnx.tasks.spec import OWN_EVALUATIONS, SpecifiedTask, TaskSpec, load_function


class TaskReport(Protocol):
    """The scores of one or two models at a task."""

    def to_dict(self) -> dict[str, Any]:
        """Returns all numbers, for JSON."""
        ...

    def to_markdown(self) -> str:
        """Returns the report as Markdown."""
        ...


def report_task(  # noqa: PLR0913 -- what is scored, and how it is called
    task: str | SpecifiedTask | TaskSpec,
    gold_set: GoldSet[Any],
    predictions: Sequence[Any],
    second: Sequence[Any] | None = None,
    *,
    training: Sequence[Any] | None = None,
    names: tuple[str, str] = ("the model", "the other model"),
    resampling: Resampling | None = None,
    as_published: bool = False,
) -> TaskReport:
    """Scores the predictions of one or two models at a task.

    Args:
        task: The task; its name, the path of a TOML file that defines it, or the task itself.
        gold_set: The documents with what is true of each.
        predictions: The model's result for each document.
        second: Another model's result for each document; None for none.
        training: Gold answers in which the majority is counted, for tasks that predict labels; None counts it in the
            gold set itself.
        names: The names of the two models.
        resampling: The settings of intervals and tests.
        as_published: Whether to count as Microsoft's programs do as well; for the published tasks alone.

    Returns:
        The report of the task's own kind.

    Raises:
        ConfigError: There is no such task, it is not evaluated, the predictions are not one for each document, or
            `as_published` is set for a task that Microsoft has no programs for.
    """
    spec = task_spec(task)
    evaluation = spec.evaluation
    if evaluation is None:
        raise ConfigError(f"the task {spec.name} has no gold answers to be scored against: choose another one")
    if gold_set.form == "general":
        evaluation = OWN_EVALUATIONS[type(spec.task)]
    settings: dict[str, Any] = {"labels": spec.labels, "training": training} if spec.predicts_labels else {}
    if as_published:
        check_published(spec.name)
        settings["as_published"] = True
    report: TaskReport = load_function(evaluation.report)(
        task=spec.name,
        gold_set=gold_set,
        predictions=predictions,
        second=second,
        names=names,
        resampling=resampling,
        **settings,
    )
    return report


def calibrations(report: TaskReport) -> Mapping[str, Calibration]:
    """Returns the calibration of each model by the models' names; empty for tasks that predict no labels."""
    found: Mapping[str, Calibration] = getattr(report, "calibrations", {})
    return found
