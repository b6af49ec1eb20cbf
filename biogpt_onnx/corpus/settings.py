"""Settings of a corpus run that determine its results, and the task with these settings."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.definitions.own_labels import with_labels
from biogpt_onnx.tasks.definitions.own_types import with_type_names
from biogpt_onnx.tasks.description import DescriptionTask
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.entity_types import TypeNames
from biogpt_onnx.tasks.prompts.building import Reading
from biogpt_onnx.tasks.relations import RelationTask
from biogpt_onnx.tasks.spec import SpecifiedTask

_DECODING = ("num_beams", "min_new_tokens", "max_new_tokens")
_PAIR = 2


@dataclass(frozen=True)
class CorpusSettings:
    """Settings of a corpus run that determine its results.

    Attributes:
        reading: The settings of prompt building, such as the handling of documents that are too long.
        free: Removes the constraints on the generated text.
        given_entities: Makes relations of the entities that the input names alone.
        question: The question about documents without one; read by question answering alone.
        min_score: Leaves out results less probable than this, from 0 to 1; None for the task's own setting.
        allow_self_relations: Keeps relations of an entity with itself or with a part of itself.
        labels: The labels that there are, instead of the task's own; empty for those.
        entity_types: Pairs of a type of the task and a name that the input has for it; read with `given_entities`.
        num_beams: Number of beams of a description; None, as below, for the task's own.
        min_new_tokens: Number of tokens before which a description does not end.
        max_new_tokens: The most tokens of a description.

    Raises:
        ConfigError: A value is of another type, or two of them contradict each other.
    """

    reading: Reading = field(default_factory=Reading)
    free: bool = False
    given_entities: bool = False
    question: str = ""
    min_score: float | None = None
    allow_self_relations: bool = False
    labels: tuple[str, ...] = ()
    entity_types: TypeNames = ()
    num_beams: int | None = None
    min_new_tokens: int | None = None
    max_new_tokens: int | None = None

    def __post_init__(self) -> None:
        for name in ("free", "given_entities", "allow_self_relations"):
            checks.flag(name, getattr(self, name))
        reading: object = self.reading
        question: object = self.question
        if not isinstance(reading, Reading):
            raise ConfigError(f"reading is of type {type(reading).__name__}: give a Reading")
        if not isinstance(question, str):
            raise ConfigError(f"question is of type {type(question).__name__}: give a string")
        if self.free and self.given_entities:
            raise ConfigError(
                "given entities keep the model to names, free text lets it write what it likes: choose one"
            )
        if self.entity_types and not self.given_entities:
            raise ConfigError("entity types are those of given entities: ask for these too, or leave them out")
        self._check_texts()

    def _check_texts(self) -> None:
        labels: object = self.labels
        pairs: object = self.entity_types
        if not _are_strings(labels):
            raise ConfigError("labels are no tuple of strings: give one")
        if not isinstance(pairs, tuple) or not all(_are_strings(pair) and len(pair) == _PAIR for pair in pairs):
            raise ConfigError("entity_types are no tuple of pairs of strings: give a type and a name in each")

    def of_task(self, task: SpecifiedTask) -> SpecifiedTask:
        """Returns a task with the settings of its own that these give.

        Raises:
            ConfigError: The task has no such setting, or the value is bad.
        """
        if self.labels:
            if isinstance(task, DescriptionTask):
                raise ConfigError(f"labels are no setting of {task.name}: leave them out")
            task = cast("SpecifiedTask", with_labels(cast("Any", task), self.labels))
        if self.entity_types:
            if not isinstance(task, RelationTask):
                raise ConfigError(f"entity types are no setting of {task.name}: leave them out")
            task = with_type_names(task, self.entity_types)
        task = self._with_decoding(task)
        asked: dict[str, Any] = {}
        if self.min_score is not None:
            asked["min_score"] = self.min_score
        if self.allow_self_relations:
            asked["distinct"] = False
        names = {each.name for each in dataclasses.fields(task)}
        for name in asked.keys() - names:
            setting = "allow_self_relations" if name == "distinct" else name
            raise ConfigError(f"{setting} is no setting of {task.name}: leave it out")
        return replace(task, **asked) if asked else task

    def _with_decoding(self, task: SpecifiedTask) -> SpecifiedTask:
        asked = {name: value for name in _DECODING if (value := getattr(self, name)) is not None}
        if not asked:
            return task
        if not isinstance(task, DescriptionTask):
            raise ConfigError(f"{next(iter(asked))} is no setting of {task.name}: leave it out")
        return replace(task, config=task.config.replace(**asked))

    def completed(self, document: Document) -> Document:
        """Returns a document as it is asked about: with its entities, or without any, and with a question."""
        return replace(
            document,
            entities=(document.entities or ()) if self.given_entities else None,
            question=document.question if document.question.strip() else self.question,
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "CorpusSettings":
        """Returns the settings that `to_json` wrote.

        Raises:
            ConfigError: A value is bad.
            TypeError: A name is not known.
        """
        pairs = tuple((kind, name) for kind, name in values.get("entity_types", ()))
        own = {
            "reading": Reading(**values["reading"]),
            "labels": tuple(values.get("labels", ())),
            "entity_types": pairs,
        }
        return cls(**{**values, **own})


def _are_strings(values: object) -> bool:
    return isinstance(values, tuple) and all(isinstance(each, str) for each in values)
