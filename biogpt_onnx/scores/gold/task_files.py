"""Readers of gold files, by the name of their task."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.gold.gold_set import GoldSet, annotated
from biogpt_onnx.scores.gold.relations import is_general, read_relations
from biogpt_onnx.tasks.labels import AnswerTask
from biogpt_onnx.tasks.registry import evaluated_specs, task_spec
from biogpt_onnx.tasks.relations import RelationTask
from biogpt_onnx.tasks.spec import OWN_EVALUATIONS, Evaluation, SpecifiedTask, TaskSpec, load_function


def read_gold(
    task: str | SpecifiedTask | TaskSpec,
    path: Path,
    *,
    entities: Path | None = None,
    annotated_only: bool = False,
    with_conclusion: bool = False,
) -> GoldSet[Any]:
    """Reads the gold file of a task, in the form in which the task is published or in the general form.

    Args:
        task: the task; its name, the path of a TOML file that defines it, or the task itself.
        path: the file, in the format that the task's own reader describes, or in the general form.
        entities: file of entity names and their concepts, for tasks whose gold has such entities.
        annotated_only: whether to leave out documents without a relation, as Microsoft's preparation does; for the
            relation tasks alone.
        with_conclusion: whether documents hold the abstract's conclusion, which a model is then shown; for questions
            alone. It makes them far easier, so figures of the two forms are not comparable.

    Returns:
        The documents with the gold answer of each, whose type depends on the task.

    Raises:
        ConfigError: there is no such task, it has no gold answers, it does not have a setting that is given, or no
            document is left.
        DocumentError: a file is malformed.
        OSError: a file cannot be read.
    """
    spec = task_spec(task)
    task = spec.name
    if spec.evaluation is None:
        raise ConfigError(f"the task {task} has no gold answers to be scored against: choose another one")
    if entities is not None and not spec.evaluation.gold_entities:
        having = _names(lambda evaluation: evaluation.gold_entities)
        raise ConfigError(f"entities is {entities}, but the task {task} has none: give it for {having} alone")
    if annotated_only and spec.kind != "relation extraction":
        raise ConfigError(f"annotated_only is set, but in the task {task} every document has an answer: leave it")
    if with_conclusion and not spec.evaluation.gold_conclusions:
        having = _names(lambda evaluation: evaluation.gold_conclusions)
        raise ConfigError(f"with_conclusion is set, but the task {task} has no conclusions: set it for {having} alone")
    found = _read(spec, spec.evaluation, path, entities, with_conclusion=with_conclusion)
    return annotated(found) if annotated_only else found


def _read(
    spec: TaskSpec, evaluation: Evaluation, path: Path, entities: Path | None, *, with_conclusion: bool
) -> GoldSet[Any]:
    if isinstance(spec.task, RelationTask) and (evaluation == OWN_EVALUATIONS[RelationTask] or is_general(path)):
        if entities is not None:
            raise ConfigError(f"entities is {entities}, but {path} is in the general form: leave it out")
        known = spec.task.labels or ((spec.task.relation,) if spec.task.relation else ())
        return read_relations(path, spec.task.relation, known)
    settings: dict[str, Any] = {"entities": entities} if evaluation.gold_entities else {}
    settings |= {"labels": spec.labels} if spec.predicts_labels else {}
    settings |= {"with_conclusion": with_conclusion} if evaluation.gold_conclusions else {}
    if isinstance(spec.task, AnswerTask) and not spec.task.needs_question:
        settings["needs_question"] = False
    found: GoldSet[Any] = load_function(evaluation.gold_reader)(path, **settings)
    return found


def _names(has: Callable[[Evaluation], bool]) -> str:
    return " or ".join(spec.name for spec in evaluated_specs() if spec.evaluation and has(spec.evaluation))
