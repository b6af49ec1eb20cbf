"""Readers of gold files, by the name of their task."""

from pathlib import Path
from typing import Any, Literal, get_args, overload

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.gold.concept_pairs import ConceptPair, read_concept_pairs
from biogpt_onnx.scores.gold.gold_set import GoldSet, annotated
from biogpt_onnx.scores.gold.hallmarks import read_hallmarks
from biogpt_onnx.scores.gold.questions import read_questions
from biogpt_onnx.scores.gold.triples import Triple, read_triples

Task = Literal["bc5cdr", "kd-dti", "ddi", "hoc", "pubmedqa"]
TASKS: tuple[Task, ...] = get_args(Task)


@overload
def read_gold(
    task: Literal["bc5cdr"], path: Path, *, entities: Path | None = None, annotated_only: bool = False
) -> GoldSet[frozenset[ConceptPair]]: ...
@overload
def read_gold(
    task: Literal["kd-dti", "ddi"], path: Path, *, annotated_only: bool = False
) -> GoldSet[frozenset[Triple]]: ...
@overload
def read_gold(task: Literal["hoc"], path: Path) -> GoldSet[frozenset[str]]: ...
@overload
def read_gold(task: Literal["pubmedqa"], path: Path) -> GoldSet[str]: ...
@overload
def read_gold(
    task: Task, path: Path, *, entities: Path | None = None, annotated_only: bool = False
) -> GoldSet[Any]: ...


def read_gold(task: Task, path: Path, *, entities: Path | None = None, annotated_only: bool = False) -> GoldSet[Any]:
    """Reads the gold file of a task in the form in which the task is published.

    Args:
        task: one of `TASKS`.
        path: the file, in the format that the task's own reader describes.
        entities: file of the lexicon, for bc5cdr alone; see `read_concept_pairs`.
        annotated_only: whether to leave out documents without a relation, as Microsoft's preparation does; for the
            relation tasks alone.

    Raises:
        ConfigError: there is no such task, it does not have a setting that is given, or no document is left.
        DocumentError: a file is malformed.
        OSError: a file cannot be read.
    """
    if task not in TASKS:
        raise ConfigError(f"task is {task!r}: known are {', '.join(TASKS)}")
    if entities is not None and task != "bc5cdr":
        raise ConfigError(f"entities is {entities}, but the task {task} has none: give it for bc5cdr alone")
    if task == "hoc" or task == "pubmedqa":  # noqa: PLR1714 -- type checkers follow this form
        if annotated_only:
            raise ConfigError(f"annotated_only is set, but in the task {task} every document has an answer: leave it")
        return read_hallmarks(path) if task == "hoc" else read_questions(path)
    found: GoldSet[frozenset[Any]] = read_concept_pairs(path, entities) if task == "bc5cdr" else read_triples(path)
    return annotated(found) if annotated_only else found
