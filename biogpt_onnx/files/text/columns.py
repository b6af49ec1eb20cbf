"""Which fields of a row make a document."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from biogpt_onnx.files.item import RowError
from biogpt_onnx.tasks.document import Document, NamedEntity

TEXT_NAMES = ("text", "abstract", "context", "sentence", "term")
"""What the field of the text may be called where nobody says what it is called; the first that is there counts."""


@dataclass(frozen=True)
class Columns:
    """The names of the fields. One that is named must be there; by default id, title and question need not be.

    Attributes:
        text: the field of the text; None for the first of `TEXT_NAMES`.
        id: the field of the id; None for "id".
        title: the field of the title; None for "title".
        question: the field of the question; None for "question".
        entities: the field of what the text names, which JSON alone can have; None where that is not read.
    """

    text: str | None = None
    id: str | None = None
    title: str | None = None
    question: str | None = None
    entities: str | None = None

    def missing(self, names: Container[str]) -> str | None:
        """What of these is not among names, to be read behind "it has no field"; None where all are there."""
        if self._text_name(names) is None:
            return self.text or ", ".join(TEXT_NAMES[:-1]) + f" or {TEXT_NAMES[-1]}"
        others = (self.id, self.title, self.question, self.entities)
        return next((name for name in others if name and name not in names), None)

    def used(self, names: Container[str]) -> tuple[str, ...]:
        """The names of the fields that are read."""
        text = self._text_name(names)
        others = (self.id or "id", self.title or "title", self.question or "question")
        return tuple(name for name in (text, *others) if name is not None and name in names)

    def document(self, row: Mapping[str, object]) -> Document:
        """The document of a row.

        Raises:
            RowError: a field is missing, or not of its type.
        """
        missing = self.missing(row)
        text_name = self._text_name(row)
        if missing is not None or text_name is None:
            raise RowError(f"it has no field {missing}: add it")
        title = _string(row, self.title or "title")
        return Document(
            text=_string(row, text_name),
            id=_id(row, self.id or "id"),
            # A title of nothing but spaces would count in offsets and stand nowhere.
            title=title if title.strip() else "",
            question=_string(row, self.question or "question"),
            entities=None if self.entities is None else _entities(row, self.entities),
        )

    def lowered(self) -> "Columns":
        """The same in lower case."""
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
        return NamedEntity(value["text"], _string(value, "type"))
    raise RowError(f'the field {name} holds {_kind(value)}: give names, or objects with "text" and "type"')


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
