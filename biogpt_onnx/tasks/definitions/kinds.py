"""Kinds of tasks that a TOML file can define, each with its keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from biogpt_onnx.tasks.definitions import toml_table
from biogpt_onnx.tasks.definitions.toml_table import Key
from biogpt_onnx.tasks.description import DescriptionTask
from biogpt_onnx.tasks.labels import AnswerTask, ClassificationTask
from biogpt_onnx.tasks.relations import RelationTask

DefinedTask = RelationTask | AnswerTask | ClassificationTask | DescriptionTask
"""A task that a file can define."""

_COMMON: Mapping[str, Key] = {
    "kind": toml_table.TEXT,
    "name": toml_table.NAME,
    "prompt": toml_table.TEXT,
    "lower": toml_table.FLAG,
    "soft_prompt_size": toml_table.SOFT_PROMPT_SIZE,
    "least_new_tokens": toml_table.POSITIONS,
    "decoding": toml_table.TABLE,
}


@dataclass(frozen=True)
class Kind:
    """A kind of task.

    Attributes:
        task_type: The class of its tasks, whose fields have the names of the keys.
        required: The keys that must be there, beside "kind" and "name".
        keys: The keys of this kind alone.
    """

    task_type: type[DefinedTask]
    required: tuple[str, ...] = ()
    keys: Mapping[str, Key] = field(default_factory=dict)

    @property
    def all_keys(self) -> dict[str, Key]:
        """The keys of a file of this kind."""
        return {**_COMMON, **self.keys}


_SENTENCE = {"sentence": toml_table.TEXT, "labels": toml_table.LABELS, "min_score": toml_table.PROBABILITY}
_CLASSIFICATION = Kind(
    ClassificationTask,
    ("sentence", "labels"),
    _SENTENCE | {"separator": toml_table.SEPARATOR, "alone": toml_table.TEXTS},
)

KINDS: Mapping[str, Kind] = {
    "relations": Kind(
        RelationTask,
        ("statement",),
        {
            "statement": toml_table.TEXT,
            "relation": toml_table.TEXT,
            "labels": toml_table.LABELS,
            "head_type": toml_table.TEXT,
            "tail_type": toml_table.TEXT,
            "type_names": toml_table.NAMES,
            "distinct": toml_table.FLAG,
            "min_score": toml_table.PROBABILITY,
        },
    ),
    "answers": Kind(AnswerTask, ("sentence", "labels"), _SENTENCE),
    "classification": _CLASSIFICATION,
    "description": Kind(DescriptionTask),
}
"""The kinds by their names in files."""

OTHER_NAMES: Mapping[str, str] = {"labels": "classification"}
"""Other names of kinds."""
