"""The registry of tasks: the only place where a task is looked up by its name or by the file that defines it."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.definitions.reading import SUFFIX, read_task
from biogpt_onnx.tasks.definitions.suggestions import did_you_mean
from biogpt_onnx.tasks.description import DescriptionTask
from biogpt_onnx.tasks.published import PUBLISHED_SPECS
from biogpt_onnx.tasks.spec import OWN_EVALUATIONS, SpecifiedTask, TaskSpec

TaskT = TypeVar("TaskT", bound=SpecifiedTask)
GivenT = TypeVar("GivenT")

_SPECS: dict[str, TaskSpec] = {spec.name: spec for spec in PUBLISHED_SPECS}

TASK_SPECS: Mapping[str, TaskSpec] = MappingProxyType(_SPECS)
"""The specification of each task by the task's name, in the order in which commands name the tasks."""


def task_spec(task: str | os.PathLike[str] | SpecifiedTask | TaskSpec) -> TaskSpec:
    """Returns the specification of a task.

    Args:
        task: The task's name; or the path of a TOML file that defines it, which ends in .toml; or the task itself,
            which then has the specification of the task of its name, with the settings that it has itself, or that of
            a task of one's own.

    Raises:
        ConfigError: There is no task of this name, or the file does not define one.
        OSError: The file cannot be read.
    """
    if isinstance(task, TaskSpec):
        return task
    if not isinstance(task, str | os.PathLike):
        return _spec_of(task)
    name = os.fspath(task)
    if name.lower().endswith(SUFFIX):
        return _spec_of(read_task(Path(name)))
    if name not in TASK_SPECS:
        # A file's name without its ending is taken for a task's.
        file = f"{name}{SUFFIX}"
        hint = f" (did you mean {file!r}?)" if name and Path(file).is_file() else did_you_mean(name, TASK_SPECS)
        raise ConfigError(f"task is {name!r}{hint}: known are {', '.join(TASK_SPECS)}")
    return TASK_SPECS[name]


def get(name: str | os.PathLike[str]) -> SpecifiedTask:
    """Returns the task of a name, or the one that a TOML file defines; see `task_spec`.

    Raises:
        ConfigError: There is no task of this name, or the file does not define one.
        OSError: The file cannot be read.
    """
    return task_spec(name).task


def load(path: str | os.PathLike[str]) -> SpecifiedTask:
    """Reads the task that a TOML file defines. It is not registered: `register` does that.

    Raises:
        ConfigError: The file is no TOML, or does not define a task; the message names the file and the key.
        OSError: The file cannot be read.
    """
    if not isinstance(path, str | os.PathLike):
        raise ConfigError(f"path is of type {type(path).__name__}: give the path of a TOML file")
    return read_task(Path(path))


def register(task: SpecifiedTask | TaskSpec) -> TaskSpec:
    """Makes a task known by its name to everything in this process that takes the name of a task.

    Args:
        task: The task; or its specification, to give it a title, published checkpoints or an evaluation of its own.

    Returns:
        The specification under which it is registered.

    Raises:
        ConfigError: Another task has the name, or the task is of another class.
    """
    if not isinstance(task, SpecifiedTask | TaskSpec):
        raise ConfigError(
            f"a task of class {type(task).__name__} cannot be registered: give a RelationTask, AnswerTask, "
            "ClassificationTask or DescriptionTask"
        )
    spec = task if isinstance(task, TaskSpec) else own_spec(task)
    if _SPECS.get(spec.name, spec) != spec:
        raise ConfigError(f"task {spec.name} is registered already, as another task: give it another name")
    return _SPECS.setdefault(spec.name, spec)


def resolved(task: GivenT | str | os.PathLike[str]) -> GivenT | Any:  # noqa: ANN401 -- a name says nothing of the type
    """Returns a task unchanged; for a name, or the path of a TOML file, the task that it stands for.

    Raises:
        ConfigError: There is no task of this name, or the file does not define one.
        OSError: The file cannot be read.
    """
    return get(task) if isinstance(task, str | os.PathLike) else task


def spec_of_bundle(manifest: Manifest, specs: Iterable[TaskSpec]) -> TaskSpec:
    """Returns the specification of the task that a bundle is fine-tuned for; where it names none, the only one.

    Args:
        manifest: The bundle's manifest.
        specs: The specifications to choose from.

    Raises:
        ConfigError: The bundle names no task and there are several, or it names one that is none of them.
    """
    known = {spec.name: spec for spec in specs}
    wanted = manifest.task
    if wanted is None and len(known) == 1:
        (wanted,) = known
    if wanted is None:
        raise ConfigError(f"the bundle does not say what it is for: say --task {' or --task '.join(known)}")
    if wanted not in TASK_SPECS:
        raise ConfigError(
            f"the bundle is fine-tuned for {wanted}, which is not among the known tasks: define it in a TOML file and "
            "say --task FILE.toml"
        )
    if wanted not in known:
        raise ConfigError(f"the bundle is fine-tuned for {wanted}, not for {' or '.join(known)}: use another bundle")
    return known[wanted]


def own_spec(task: SpecifiedTask) -> TaskSpec:
    """Returns the specification of a task of one's own, which is scored as every task of its kind can be."""
    return TaskSpec(
        task,
        task.name,
        fine_tuned=not isinstance(task, DescriptionTask) or task.soft_prompt_size != 0,
        evaluation=OWN_EVALUATIONS.get(type(task)),
    )


def task_title(name: str) -> str:
    """Returns the title of a task for reports; the name itself of a task that is not registered."""
    return TASK_SPECS[name].title if name in TASK_SPECS else name


def tasks_of(task_type: type[TaskT]) -> tuple[TaskT, ...]:
    """Returns the tasks of one class, such as `RelationTask`."""
    return tuple(spec.task for spec in TASK_SPECS.values() if isinstance(spec.task, task_type))


def fine_tuned_names() -> tuple[str, ...]:
    """Returns the names of the tasks that checkpoints are fine-tuned for."""
    return tuple(spec.name for spec in TASK_SPECS.values() if spec.fine_tuned)


def evaluated_specs() -> tuple[TaskSpec, ...]:
    """Returns the specifications of the tasks that can be scored against gold answers."""
    return tuple(spec for spec in TASK_SPECS.values() if spec.evaluation is not None)


def _spec_of(task: object) -> TaskSpec:
    if not isinstance(task, SpecifiedTask):
        raise ConfigError(f"task is of type {type(task).__name__}: give its name, the path of a TOML file, or the task")
    known = TASK_SPECS.get(task.name)
    return replace(known, task=task) if known is not None and type(known.task) is type(task) else own_spec(task)
