"""Scenes: what is drawn of a result, wherever it is shown."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["head", "tail", "both"]
"""The part that a character of a text has in relations; entities without relations are drawn as heads."""

_HEAD: Role = "head"
_TAIL: Role = "tail"
_BOTH: Role = "both"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class MarkedText:
    """A text, some characters of which are marked.

    Attributes:
        text: The text, without control characters.
        roles: The role of each character; None for one that is not marked.
    """

    text: str
    roles: tuple[Role | None, ...]


@dataclass(frozen=True)
class Arrow:
    """A relation, as an arrow from its head to its tail.

    Attributes:
        head: The first entity.
        relation: The relation's name.
        tail: The second entity.
        probability: The probability of the statement; None if it is unknown.
        in_source: True if the document holds both entities.
    """

    head: str
    relation: str
    tail: str
    probability: float | None
    in_source: bool


@dataclass(frozen=True)
class Entity:
    """An entity that was found.

    Attributes:
        text: The entity's characters.
        type: The entity's type.
        probability: The probability of its type; None if it is unknown.
    """

    text: str
    type: str
    probability: float | None


@dataclass(frozen=True)
class Bars:
    """Labels with their probabilities, as bars.

    Attributes:
        probabilities: The probability of each label.
    """

    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class Note:
    """A line of text.

    Attributes:
        text: The line.
    """

    text: str


Element = MarkedText | Arrow | Entity | Bars | Note
"""A part of a scene."""


def scene_of(result: Mapping[str, Any], document: Mapping[str, Any] | None) -> Iterator[Element]:
    """Yields what is drawn of a result, from top to bottom.

    Args:
        result: The result as plain data.
        document: The title, text and question of its document; None if the document is not known.
    """
    relations, entities = result.get("relations", []), result.get("entities", [])
    if document is not None:
        # As Document.full_text joins them, whose characters the spans count.
        text = " ".join(filter(None, (document["title"], document["text"])))
        yield _marked(text, _roles(text, relations, entities))
    if "relations" in result:
        yield from map(_arrow, relations) if relations else (Note("no relation"),)
    if "entities" in result:
        yield from map(_entity, entities) if entities else (Note("no entity"),)
    if document is not None and document.get("question"):
        yield _marked(document["question"])
    # Plain data have None for what is no number.
    probabilities = {label: value or 0.0 for label, value in (result.get("probabilities") or {}).items()}
    if probabilities:
        yield Bars(probabilities)
    elif "values" in result:
        yield from (Note(f"{label}: {_number(value)}") for label, value in result["values"].items())
    if "embedding" in result:
        yield Note(f"{len(result['embedding']):,} numbers")


def visible(text: str) -> str:
    """Returns a text with a space for each control character, which could steer a terminal."""
    return _CONTROL.sub(" ", text)


def _marked(text: str, roles: Sequence[Role | None] = ()) -> MarkedText:
    return MarkedText(visible(text), tuple(roles) or (None,) * len(text))


def _arrow(relation: Mapping[str, Any]) -> Arrow:
    head, name, tail = (visible(str(relation[key])) for key in ("head", "relation", "tail"))
    score = relation["score"]
    probability = math.exp(score) if isinstance(score, float) else None
    return Arrow(head, name, tail, probability, bool(relation["in_source"]))


def _entity(entity: Mapping[str, Any]) -> Entity:
    probability = entity["probability"]
    return Entity(visible(entity["text"]), visible(entity["type"]), probability)


def _number(value: float | None) -> str:
    return "no number" if value is None else f"{value:.4g}"


def _roles(
    text: str, relations: Sequence[Mapping[str, Any]], entities: Sequence[Mapping[str, Any]]
) -> list[Role | None]:
    """Returns, for each character of a text, what it is part of."""
    found: list[Role | None] = [None] * len(text)
    for role, start, end in _places(relations, entities):
        for place in range(start, min(end, len(text))):
            found[place] = role if found[place] in (None, role) else _BOTH
    return found


def _places(
    relations: Sequence[Mapping[str, Any]], entities: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Role, int, int]]:
    for relation in relations:
        for role in (_HEAD, _TAIL):
            if (span := relation[f"{role}_span"]) is not None:
                yield role, *span
    for entity in entities:
        yield _HEAD, entity["start"], entity["end"]
