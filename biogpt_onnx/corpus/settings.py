"""Settings of a corpus run that determine its results, and the task with these settings."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.prompts.building import Reading
from biogpt_onnx.tasks.spec import SpecifiedTask


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

    Raises:
        ConfigError: A value is of another type.
    """

    reading: Reading = field(default_factory=Reading)
    free: bool = False
    given_entities: bool = False
    question: str = ""
    min_score: float | None = None
    allow_self_relations: bool = False

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

    def of_task(self, task: SpecifiedTask) -> SpecifiedTask:
        """Returns a task with the settings of its own that these give.

        Raises:
            ConfigError: The task has no such setting, or the value is bad.
        """
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
        return cls(**{**values, "reading": Reading(**values["reading"])})
