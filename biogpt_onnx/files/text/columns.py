"""The fields of a row that make a document."""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

from biogpt_onnx.files.concepts import known_concept
from biogpt_onnx.files.rows import RowError
from biogpt_onnx.tasks.document import Document, NamedEntity, Span

TEXT_NAMES = ("text", "abstract", "context", "contexts", "sentence", "term", "CONTEXTS")
"""The names of the text's field if no name is given; the first of them that a row has is read."""

ID_NAMES = ("id", "pubid", "pmid", "index")
"""The names of the id's field; the second is that of PubMedQA on the hub, the last that of BLURB."""

QUESTION_NAMES = ("question", "QUESTION")
"""The names of the question's field; the second is PubMedQA's own."""

CONCLUSION_NAMES = ("conclusion", "long_answer", "LONG_ANSWER")
"""The names of the conclusion's field; the last two are PubMedQA's."""

FIELDS = ("text", "id", "title", "question", "entities", "conclusion")
"""The fields whose names `Columns` may give."""

# PubMedQA has a context as a list of paragraphs, on the hub as an object with such a list.
_LISTS = ("context", "contexts", "CONTEXTS")
_PARAGRAPHS = "contexts"


@dataclass(frozen=True)
class Columns:
    """The names of a row's fields. A field that is named must exist; unnamed ones, but for the text's, may be missing.

    Attributes:
        text: The field of the text; None for the first of `TEXT_NAMES`.
        id: The field of the id; None for the first of `ID_NAMES`.
        title: The field of the title; None for "title".
        question: The field of the question; None for the first of `QUESTION_NAMES`.
        entities: The field of the named entities, which JSON alone can have; None does not read them.
        conclusion: The field of the conclusion; None for the first of `CONCLUSION_NAMES`.
        with_conclusion: Reads the conclusion, which must then be there; see `Document.conclusion`.
        header: True if the first row of a table names its columns. In a table without a header, and for a column
            without a name, a field is the column's number from 1, as a string.
    """

    text: str | None = None
    id: str | None = None
    title: str | None = None
    question: str | None = None
    entities: str | None = None
    conclusion: str | None = None
    with_conclusion: bool = False
    header: bool = True

    def missing(self, names: Container[str]) -> str | None:
        """Returns the field that is not among names, as the end of an error "it has no field …"; None if all are."""
        if _first(self.text, TEXT_NAMES, names) is None:
            return self.text or _either(TEXT_NAMES)
        if self.with_conclusion and _first(self.conclusion, CONCLUSION_NAMES, names) is None:
            return self.conclusion or _either(CONCLUSION_NAMES)
        others = (self.id, self.title, self.question, self.entities)
        return next((name for name in others if name and name not in names), None)

    def used(self, names: Container[str]) -> tuple[str, ...]:
        """Returns the names of the fields that are read."""
        found = (
            _first(self.text, TEXT_NAMES, names),
            _first(self.id, ID_NAMES, names),
            _first(self.title, ("title",), names),
            _first(self.question, QUESTION_NAMES, names),
            _first(self.conclusion, CONCLUSION_NAMES, names) if self.with_conclusion else None,
        )
        return tuple(name for name in found if name is not None)

    def document(self, row: Mapping[str, object]) -> Document:
        """Returns the document of a row.

        Raises:
            RowError: A field is missing, or not of its type.
        """
        missing = self.missing(row)
        text_name = _first(self.text, TEXT_NAMES, row)
        if missing is not None or text_name is None:
            raise RowError(f"it has no field {missing}: add it")
        title = _string(row, _first(self.title, ("title",), row))
        return Document(
            text=_paragraphs(row, text_name) if text_name in _LISTS else _string(row, text_name),
            id=_id(row, _first(self.id, ID_NAMES, row)),
            # A title of spaces alone would shift all offsets, and no output would show it.
            title=title if title.strip() else "",
            question=_string(row, _first(self.question, QUESTION_NAMES, row)),
            entities=None if self.entities is None else _entities(row, self.entities),
            conclusion=_conclusion(row, self.conclusion) if self.with_conclusion else "",
        )

    def lowered(self) -> "Columns":
        """Returns the names in lower case, as those of a table's columns are compared."""
        given = {name: value.lower() for name in FIELDS if (value := getattr(self, name)) is not None}
        return replace(self, **given)


def plain_text(text: str) -> str:
    """Returns a text on one line: line breaks and indents belong to the file and not to the abstract."""
    return re.sub(r"\s+", " ", text).strip()


def _first(given: str | None, usual: tuple[str, ...], names: Container[str]) -> str | None:
    """Returns the given name, or the first usual one, if it is among names."""
    return next((name for name in ((given,) if given else usual) if name in names), None)


def _either(names: tuple[str, ...]) -> str:
    return ", ".join(names[:-1]) + f" or {names[-1]}"


def _paragraphs(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    if isinstance(value, dict) and _PARAGRAPHS in value:
        value = value[_PARAGRAPHS]
    if not isinstance(value, list):
        return _string(row, name)
    if not all(isinstance(part, str) for part in value):
        raise RowError(f"the field {name} is a list: give a list of strings, or one string")
    return plain_text(" ".join(value))


def _conclusion(row: Mapping[str, object], given: str | None) -> str:
    name = _first(given, CONCLUSION_NAMES, row)
    found = plain_text(_string(row, name))
    if not found:
        raise RowError(f"the field {name} is empty: give a conclusion, or read all rows without conclusions")
    return found


def _string(row: Mapping[str, object], name: str | None) -> str:
    value = None if name is None else row.get(name)
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


def _id(row: Mapping[str, object], name: str | None) -> str | None:
    value = None if name is None else row.get(name)
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
