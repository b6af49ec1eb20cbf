"""Documents: the inputs of all tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biogpt_onnx.runtime.errors import DocumentError, PromptError

Span = tuple[int, int]
"""Start and end of some characters of `Document.full_text`, the end excluded."""

_MISSING_OF_PANDAS = ("NAType", "NaTType")


@dataclass(frozen=True)
class NamedEntity:
    """An entity that a document names.

    Attributes:
        text: The entity's name. If `spans` holds one span, the document's own characters there count instead, because
            annotations often spell names in another way than the document.
        type: The entity's type, such as "Chemical"; empty if unknown.
        spans: The mention's characters in `Document.full_text`; several spans, in order, for a mention in parts, such
            as "renal failure" in "renal and hepatic failure"; empty to take the name wherever the document holds it.
        concept: The id of the entity's concept, such as a MeSH id; empty if unknown.

    Raises:
        DocumentError: A value is of another type.
    """

    text: str
    type: str = ""
    spans: tuple[Span, ...] = ()
    concept: str = ""

    def __post_init__(self) -> None:
        for name in ("text", "type", "concept"):
            object.__setattr__(self, name, _text_of(f"an entity's {name}", getattr(self, name)))
        object.__setattr__(self, "spans", _spans_of(self.spans))


@dataclass(frozen=True)
class Document:
    """A document as the user wrote it.

    A value that is missing, as data frames have it (None, NaN, pandas' NA and NaT), is one that is not given; without
    a text, no task can answer the document.

    Attributes:
        text: The abstract, the sentence, the context of a question or the term to describe.
        id: The user's identifier of the document; None for none. A whole number becomes text.
        title: The title above the text; empty for none.
        question: The question about the text; read by question answering alone.
        entities: The named entities, if they are known; relations then hold between these alone. None lets relations
            hold between any words of the document.
        conclusion: The conclusion of an abstract whose other sentences are the text, to be shown to the model before it
            answers the question; empty to answer without it, as PubMedQA means it. With it the question is far easier,
            so figures of the two forms are not comparable. Read by question answering alone; spans do not index it.

    Raises:
        DocumentError: A value is of another type; the message names it and the document's id.
    """

    text: str
    id: str | None = None
    title: str = ""
    question: str = ""
    entities: tuple[NamedEntity, ...] | None = None
    conclusion: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", None if _is_missing(self.id) else _text_of("the document's id", self.id))
        owner = "the document's" if self.id is None else f"document {self.id!r}: its"
        for name in ("text", "title", "question", "conclusion"):
            value = getattr(self, name)
            if type(value) is not str:
                object.__setattr__(self, name, _text_of(f"{owner} {name}", value, with_numbers=False))
        if _is_missing(self.entities):
            object.__setattr__(self, "entities", None)
            return
        found: object = self.entities
        if not isinstance(found, Sequence) or not all(isinstance(entity, NamedEntity) for entity in found):
            raise DocumentError(f"{owner} entities are of type {type(found).__name__}: give a list of NamedEntity")
        object.__setattr__(self, "entities", tuple(found))

    @property
    def full_text(self) -> str:
        """Title and text with one space between, as PubTator counts characters; results' spans index this string."""
        return f"{self.title} {self.text}" if self.title else self.text


def as_document(document: object) -> Document:
    """Returns a document; a string is a document's text.

    Raises:
        PromptError: It is of another type.
    """
    if not isinstance(document, Document | str):
        raise PromptError(f"a document is of type {type(document).__name__}: give a Document or a string")
    return Document(document) if isinstance(document, str) else document


def _text_of(name: str, value: object, *, with_numbers: bool = True) -> str:
    """Returns a value as text: empty for one that is missing, and the digits of a whole number if it may be one.

    Raises:
        DocumentError: The value is of another type.
    """
    if isinstance(value, str):
        return value
    if _is_missing(value):
        return ""
    if with_numbers and isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(int(value))
    raise DocumentError(f"{name} is of type {type(value).__name__}: give a string")


def _spans_of(value: object) -> tuple[Span, ...]:
    """Returns spans as plain whole numbers.

    Raises:
        DocumentError: They are of another type.
    """
    if isinstance(value, Sequence) and all(map(_is_span, value)):
        return tuple((int(start), int(end)) for start, end in value)
    raise DocumentError(f"an entity's spans are {value!r}: give pairs of whole numbers, start and end")


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in _MISSING_OF_PANDAS:
        return True
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _is_span(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and len(value) == 2  # noqa: PLR2004 -- start and end
        and all(isinstance(place, int | np.integer) and not isinstance(place, bool) for place in value)
    )
