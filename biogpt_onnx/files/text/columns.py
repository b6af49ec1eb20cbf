"""The fields of a row that make a document."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from biogpt_onnx.files.concepts import known_concept
from biogpt_onnx.files.rows import RowError
from biogpt_onnx.tasks.document import Document, NamedEntity, Span

TEXT_NAMES = ("text", "abstract", "context", "sentence", "term")
"""The names of the text's field if no name is given; the first of them that a row has is read."""


@dataclass(frozen=True)
class Columns:
    """The names of a row's fields. A field that is named must exist; unnamed ones, but for the text's, may be missing.

    Attributes:
        text: The field of the text; None for the first of `TEXT_NAMES`.
        id: The field of the id; None for "id".
        title: The field of the title; None for "title".
        question: The field of the question; None for "question".
        entities: The field of the named entities, which JSON alone can have; None does not read them.
    """

    text: str | None = None
    id: str | None = None
    title: str | None = None
    question: str | None = None
    entities: str | None = None

    def missing(self, names: Container[str]) -> str | None:
        """Returns the field that is not among names, as the end of an error "it has no field …"; None if all are."""
        if self._text_name(names) is None:
            return self.text or ", ".join(TEXT_NAMES[:-1]) + f" or {TEXT_NAMES[-1]}"
        others = (self.id, self.title, self.question, self.entities)
        return next((name for name in others if name and name not in names), None)

    def used(self, names: Container[str]) -> tuple[str, ...]:
        """Returns the names of the fields that are read."""
        text = self._text_name(names)
        others = (self.id or "id", self.title or "title", self.question or "question")
        return tuple(name for name in (text, *others) if name is not None and name in names)

    def document(self, row: Mapping[str, object]) -> Document:
        """Returns the document of a row.

        Raises:
            RowError: A field is missing, or not of its type.
        """
        missing = self.missing(row)
        text_name = self._text_name(row)
        if missing is not None or text_name is None:
            raise RowError(f"it has no field {missing}: add it")
        title = _string(row, self.title or "title")
        return Document(
            text=_string(row, text_name),
            id=_id(row, self.id or "id"),
            # A title of spaces alone would shift all offsets, and no output would show it.
            title=title if title.strip() else "",
            question=_string(row, self.question or "question"),
            entities=None if self.entities is None else _entities(row, self.entities),
        )

    def lowered(self) -> "Columns":
        """Returns the names in lower case."""
        names = (self.text, self.id, self.title, self.question, self.entities)
        return Columns(*(name and name.lower() for name in names))

    def _text_name(self, names: Container[str]) -> str | None:
        wanted = TEXT_NAMES if self.text is None else (self.text,)
        return next((name for name in wanted if name in names), None)


def _string(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowError(f"the field {name} is {_kind(value)}: give a string")
    return value


def _entities(row: Mapping[str, object], name: str) -> tuple[NamedEntity, ...]:
    value = row[name]
    if not isinstance(value, list):
        raise RowError(f"the field {name} is {_kind(value)}: give a list of what the text names")
    return tuple(_entity(one, name) for one in value)


def _entity(value: object, name: str) -> NamedEntity:
    if isinstance(value, str):
        return NamedEntity(value)
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        concept = known_concept(_id(value, "concept") or "")
        return NamedEntity(value["text"], _string(value, "type"), _spans(value, name), concept)
    raise RowError(f'the field {name} holds {_kind(value)}: give names, or objects with "text" and "type"')


def _spans(entity: Mapping[str, object], name: str) -> tuple[Span, ...]:
    span = entity.get("span")
    if span is None:
        return ()
    if isinstance(span, list) and [type(each) for each in span] == [int, int]:
        return ((span[0], span[1]),)
    raise RowError(f"the field {name} holds a span that is not [start, end]: give two whole numbers")


def _id(row: Mapping[str, object], name: str) -> str | None:
    value = row.get(name)
    # PubMed's ids are often written as numbers.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _string(row, name) or None


def _kind(value: object) -> str:
    kinds = {
        type(None): "null",
        str: "a string",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), type(value).__name__)
