"""The settings of requests for tasks, by the names that the commands have for them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar, get_args

from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.server.http.errors import bad_field
from biogpt_onnx.server.http.fields import Fields, checked_text
from biogpt_onnx.server.settings import MAX_CHOICE_LENGTH, MAX_CHOICES, ServerSettings
from biogpt_onnx.tasks import AnswerTask, ClassificationTask, DescriptionTask, Document, RelationTask
from biogpt_onnx.tasks.definitions.own_labels import LabelledT, with_labels
from biogpt_onnx.tasks.prompts.building import LEAST_WINDOW, WINDOW_TOKENS, Reading, TooLong
from biogpt_onnx.tasks.spec import SpecifiedTask

MAX_TYPE_NAMES = 64
"""Most other names that a request gives an entity type."""

ScoredT = TypeVar("ScoredT", RelationTask, AnswerTask, ClassificationTask)

_LEAST_LABELS = 2
_ENTITIES = "entities"


@dataclass(frozen=True)
class Adjusted:
    """A task as a request wants it.

    Attributes:
        task: the task, with the request's settings.
        columns: the fields of documents that are read.
        completed: completes a document.
        free: True to let the model generate any text.
    """

    task: SpecifiedTask
    columns: Columns
    completed: Callable[[Document], Document] = lambda document: document
    free: bool = False


def read_reading(fields: Fields) -> Reading:
    """Returns how the documents of a request are to be read.

    Raises:
        ApiError: a field has a bad value.
    """
    given = fields.one_of("too_long", get_args(TooLong))
    too_long: TooLong = next((word for word in get_args(TooLong) if word == given), "error")
    return Reading(
        too_long,
        normalize_punctuation=fields.flag("normalize_punctuation") or False,
        window_tokens=fields.integer("window_tokens", LEAST_WINDOW) or WINDOW_TOKENS,
        max_source_tokens=fields.integer("max_source_tokens", 1),
    )


def adjusted(task: SpecifiedTask, fields: Fields, bounds: ServerSettings) -> Adjusted:
    """Returns a task with the settings that a request gives it.

    Args:
        task: the task.
        fields: the request's fields.
        bounds: the server's bounds.

    Raises:
        ApiError: a field has a bad value.
        ConfigError: the task has no such setting.
    """
    if isinstance(task, RelationTask):
        return _relations(task, fields)
    if isinstance(task, AnswerTask):
        return _answers(task, fields)
    if isinstance(task, ClassificationTask):
        scored = _with_min_score(_with_own_labels(task, fields), fields)
        return Adjusted(scored, Columns(), free=fields.flag("free") or False)
    return Adjusted(_description(task, fields, bounds), Columns(), free=fields.flag("free") or False)


def _relations(task: RelationTask, fields: Fields) -> Adjusted:
    free, given = fields.flag("free") or False, fields.flag("given_entities") or False
    if free and given:
        raise bad_field("free", "does not go with given_entities, which keeps the model to names: choose one of them")
    task = _with_min_score(_with_own_labels(task, fields), fields)
    names = tuple(_type_names(task, fields))
    if names and not given:
        raise bad_field("entity_types", "names types of given_entities: set that to true, or leave this out")
    task = replace(task, type_names=(*task.type_names, *names))
    if fields.flag("allow_self_relations"):
        task = replace(task, distinct=False)

    def completed(document: Document) -> Document:
        return replace(document, entities=(document.entities or ()) if given else None)

    return Adjusted(task, Columns(entities=_ENTITIES if given else None), completed, free)


def _answers(task: AnswerTask, fields: Fields) -> Adjusted:
    task = _with_min_score(_with_own_labels(task, fields), fields)
    question = fields.text("question") or ""

    def completed(document: Document) -> Document:
        return document if document.question.strip() else replace(document, question=question)

    columns = Columns(with_conclusion=fields.flag("with_conclusion") or False)
    return Adjusted(task, columns, completed, fields.flag("free") or False)


def _description(task: DescriptionTask, fields: Fields, bounds: ServerSettings) -> DescriptionTask:
    given = {
        "num_beams": fields.integer("num_beams", 1, bounds.max_rows),
        "min_new_tokens": fields.integer("min_new_tokens"),
        "max_new_tokens": fields.integer("max_new_tokens", 1),
    }
    return replace(
        task, config=task.config.replace(**{name: value for name, value in given.items() if value is not None})
    )


def _with_own_labels(task: LabelledT, fields: Fields) -> LabelledT:
    if not fields.has("labels"):
        return task
    labels = [label.strip() for label in fields.items("labels", MAX_CHOICES, _label)]
    if len(labels) < _LEAST_LABELS or len(set(labels)) < len(labels) or not all(labels):
        raise bad_field("labels", "must be at least two different texts")
    try:
        return with_labels(task, labels)
    except ConfigError as error:
        raise bad_field("labels", f"cannot be used: {error}") from error


def _label(name: str, value: object) -> str:
    return checked_text(name, value, MAX_CHOICE_LENGTH)


def _with_min_score(task: ScoredT, fields: Fields) -> ScoredT:
    least = fields.number("min_score", 0, 1)
    return task if least is None else replace(task, min_score=least)


def _type_names(task: RelationTask, fields: Fields) -> Iterator[tuple[str, str]]:
    """Yields pairs of a type of the task and another name of it."""
    given = fields.nested("entity_types")
    if given is None:
        return
    kinds = list(dict.fromkeys(kind for kind in (task.head_type, task.tail_type) if kind))
    for kind in kinds:
        for name in given.texts(kind, MAX_TYPE_NAMES, MAX_CHOICE_LENGTH) or ():
            if not name.strip():
                raise bad_field(f"entity_types.{kind}", "holds an empty name")
            yield kind, name.strip()
    given.done()
