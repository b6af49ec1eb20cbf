"""Readers of gold files, by the name of their task."""

from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.gold.gold_set import GoldSet, annotated
from biogpt_onnx.tasks.registry import TASK_SPECS, evaluated_specs
from biogpt_onnx.tasks.spec import load_function


def read_gold(task: str, path: Path, *, entities: Path | None = None, annotated_only: bool = False) -> GoldSet[Any]:
    """Reads the gold file of a task in the form in which the task is published.

    Args:
        task: the task's name.
        path: the file, in the format that the task's own reader describes.
        entities: file of entity names and their concepts, for tasks whose gold has such entities.
        annotated_only: whether to leave out documents without a relation, as Microsoft's preparation does; for the
            relation tasks alone.

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
        having = " or ".join(
            each.name for each in evaluated_specs() if each.evaluation and each.evaluation.gold_entities
        )
        raise ConfigError(f"entities is {entities}, but the task {task} has none: give it for {having} alone")
    if annotated_only and spec.kind != "relation extraction":
        raise ConfigError(f"annotated_only is set, but in the task {task} every document has an answer: leave it")
    settings: dict[str, Any] = {"entities": entities} if spec.evaluation.gold_entities else {}
    settings |= {"labels": spec.labels} if spec.predicts_labels else {}
    found: GoldSet[Any] = load_function(spec.evaluation.gold_reader)(path, **settings)
    return annotated(found) if annotated_only else found
