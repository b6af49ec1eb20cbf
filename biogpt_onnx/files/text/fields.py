"""Rows of named fields, which JSON and tables have, and the documents that they make."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from biogpt_onnx.files.rows import Row, RowError, checked_row
from biogpt_onnx.files.text.columns import Columns


@dataclass(frozen=True)
class FieldRow:
    """A row of named fields.

    Attributes:
        line: The line on which the row begins, from 1; in a JSON value of many documents the number of the document.
        fields: The fields by their names; empty for a bad row.
        problem: The reason why the row cannot be read; None for a good row.
    """

    line: int
    fields: Mapping[str, object]
    problem: str | None = None


def rows_of_fields(found: Iterable[FieldRow], columns: Columns) -> Iterator[Row]:
    """Yields the document of each row, or its problem."""
    for each in found:
        if each.problem is not None:
            yield Row(each.line, None, each.problem)
            continue
        try:
            yield checked_row(each.line, columns.document(each.fields))
        except RowError as error:
            yield Row(each.line, None, str(error))
