"""Readers of gold files, by the name of their task."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.gold.gold_set import GoldSet, annotated
from biogpt_onnx.tasks.registry import TASK_SPECS, evaluated_specs
from biogpt_onnx.tasks.spec import Evaluation, load_function


def read_gold(
    task: str,
    path: Path,
    *,
    entities: Path | None = None,
    annotated_only: bool = False,
    with_conclusion: bool = False,
) -> GoldSet[Any]:
    """Reads the gold file of a task in the form in which the task is published.

    Args:
        task: the task's name.
        path: the file, in the format that the task's own reader describes.
        entities: file of entity names and their concepts, for tasks whose gold has such entities.
        annotated_only: whether to leave out documents without a relation, as Microsoft's preparation does; for the
            relation tasks alone.
        with_conclusion: whether documents hold the abstract's conclusion, which a model is then shown; for questions
            alone. It makes them far easier, so figures of the two forms are not comparable.

    Returns:
        The documents with the gold answer of each, whose type depends on the task.

    Raises:
        ConfigError: there is no such task, it does not have a setting that is given, or no document is left.
        DocumentError: a file is malformed.
        OSError: a file cannot be read.
    """
    spec = TASK_SPECS.get(task)
    if spec is None or spec.evaluation is None:
        known = ", ".join(each.name for each in evaluated_specs())
        raise ConfigError(f"task is {task!r}: known are {known}")
    if entities is not None and not spec.evaluation.gold_entities:
        having = _names(lambda evaluation: evaluation.gold_entities)
        raise ConfigError(f"entities is {entities}, but the task {task} has none: give it for {having} alone")
    if annotated_only and spec.kind != "relation extraction":
        raise ConfigError(f"annotated_only is set, but in the task {task} every document has an answer: leave it")
    if with_conclusion and not spec.evaluation.gold_conclusions:
        having = _names(lambda evaluation: evaluation.gold_conclusions)
        raise ConfigError(f"with_conclusion is set, but the task {task} has no conclusions: set it for {having} alone")
    settings: dict[str, Any] = {"entities": entities} if spec.evaluation.gold_entities else {}
    settings |= {"labels": spec.labels} if spec.predicts_labels else {}
    settings |= {"with_conclusion": with_conclusion} if spec.evaluation.gold_conclusions else {}
    found: GoldSet[Any] = load_function(spec.evaluation.gold_reader)(path, **settings)
    return annotated(found) if annotated_only else found


def _names(has: Callable[[Evaluation], bool]) -> str:
    return " or ".join(spec.name for spec in evaluated_specs() if spec.evaluation and has(spec.evaluation))
