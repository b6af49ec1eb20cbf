"""The registry of tasks: the only place where a task is looked up by its name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.published import PUBLISHED_SPECS
from biogpt_onnx.tasks.spec import SpecifiedTask, TaskSpec

TaskT = TypeVar("TaskT", bound=SpecifiedTask)

_SPECS: dict[str, TaskSpec] = {spec.name: spec for spec in PUBLISHED_SPECS}

TASK_SPECS: Mapping[str, TaskSpec] = MappingProxyType(_SPECS)
"""The specification of each task by the task's name, in the order in which commands name the tasks."""


def task_spec(name: str) -> TaskSpec:
    """Returns the specification of a task.

    Raises:
        ConfigError: There is no task of this name.
    """
    if name not in TASK_SPECS:
        raise ConfigError(f"task is {name!r}: known are {', '.join(TASK_SPECS)}")
    return TASK_SPECS[name]


def tasks_of(task_type: type[TaskT]) -> tuple[TaskT, ...]:
    """Returns the tasks of one class, such as `RelationTask`."""
    return tuple(spec.task for spec in TASK_SPECS.values() if isinstance(spec.task, task_type))


def fine_tuned_names() -> tuple[str, ...]:
    """Returns the names of the tasks that checkpoints are fine-tuned for."""
    return tuple(spec.name for spec in TASK_SPECS.values() if spec.fine_tuned)


def evaluated_specs() -> tuple[TaskSpec, ...]:
    """Returns the specifications of the tasks that can be scored against gold answers."""
    return tuple(spec for spec in TASK_SPECS.values() if spec.evaluation is not None)
