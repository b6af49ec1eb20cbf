"""Labels of one's own: a task with other labels than it was defined with."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.labels import AnswerTask, ClassificationTask
from biogpt_onnx.tasks.relations import RelationTask

LabelledT = TypeVar("LabelledT", RelationTask, AnswerTask, ClassificationTask)


def with_labels(task: LabelledT, labels: Sequence[str]) -> LabelledT:
    """Returns a task with these labels instead of its own; those that exclude all others do so if they are kept.

    Raises:
        ConfigError: The task's statements name no relation, or the labels are not different ones.
    """
    if isinstance(task, RelationTask):
        if not task.labels:
            raise ConfigError(f"labels name relations, {task.name} has but one: leave them out")
        return replace(task, labels=tuple(labels))
    if isinstance(task, ClassificationTask):
        return replace(task, labels=tuple(labels), alone=tuple(label for label in task.alone if label in labels))
    return replace(task, labels=tuple(labels))
