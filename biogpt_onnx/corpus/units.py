"""Documents of a work unit, as the lines of its file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from biogpt_onnx.corpus.run import Run, Unit, damaged
from biogpt_onnx.files.rows import Passage, Row
from biogpt_onnx.files.text.json_lines import json_line
from biogpt_onnx.tasks.document import Document, NamedEntity


@dataclass(frozen=True)
class UnitRow:
    """A row of a work unit.

    Attributes:
        number: The number of the document in the run, from 1.
        input: The number of its input, from 0.
        row: The row as it was read; a row that is no document has its problem as its result.
        member: The name of the file that holds it, if the input is an archive; else None.
    """

    number: int
    input: int
    row: Row
    member: str | None = None


def row_line(number_of_input: int, row: Row, member: str | None = None) -> str:
    """Returns a row as a line of a unit's file, but without its number in the run, which `numbered` adds.

    Args:
        number_of_input: The number of the row's input, from 0.
        row: The row.
        member: The name of the file that holds it, if the input is an archive; else None.
    """
    values: dict[str, Any] = {"input": number_of_input, "line": row.line}
    if member is not None:
        values["member"] = member
    if row.document is None:
        values["problem"] = row.problem
    else:
        values["document"] = _values_of(row.document)
        if row.passages:
            values["passages"] = [list(astuple(passage)) for passage in row.passages]
    return json_line(values)


def numbered(line: str, number: int) -> str:
    """Returns a line of `row_line` with the number of the document in the run, from 1."""
    return f'{{"number": {number}, {line[1:]}'


def row_of_line(line: str) -> UnitRow:
    """Returns the row of a line of a unit's file.

    Raises:
        ValueError: The line is another one.
        KeyError: As above.
        TypeError: As above.
    """
    values = json.loads(line)
    document = values.get("document")
    row = Row(
        values["line"],
        None if document is None else _document_of(document),
        values.get("problem"),
        tuple(Passage(*each) for each in values.get("passages", ())),
    )
    return UnitRow(values["number"], values["input"], row, values.get("member"))


def read_unit(run: Run, unit: Unit) -> list[UnitRow]:
    """Reads the documents of a unit.

    Raises:
        DocumentError: The unit's file is missing, or not as it was prepared.
    """
    path = run.unit_file(unit)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise damaged(path) from error
    if hashlib.sha256(content).hexdigest() != unit.sha256:
        raise damaged(path)
    return [row_of_line(line) for line in content.decode().split("\n")[:-1]]


def characters_of(row: Row) -> int:
    """Returns the number of characters of a row, from which its tokens are estimated; at least 1."""
    document = row.document
    if document is None:
        return 1
    parts = (document.title, document.text, document.question, document.conclusion)
    return max(1, sum(map(len, parts)))


def _values_of(document: Document) -> dict[str, Any]:
    values: dict[str, Any] = {"text": document.text}
    values |= {name: value for name in ("id", "title", "question", "conclusion") if (value := getattr(document, name))}
    if document.entities is not None:
        values["entities"] = [
            [entity.text, entity.type, [list(span) for span in entity.spans], entity.concept]
            for entity in document.entities
        ]
    return values


def _document_of(values: Mapping[str, Any]) -> Document:
    entities = values.get("entities")
    if entities is None:
        return Document(**values)
    named = tuple(
        NamedEntity(text, kind, tuple((start, end) for start, end in spans), concept)
        for text, kind, spans, concept in entities
    )
    return Document(**{**values, "entities": named})
