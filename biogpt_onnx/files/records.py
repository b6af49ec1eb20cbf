"""Records: results as plain JSON data, from which every output format is written."""

import dataclasses
from collections.abc import Iterable
from typing import Any, BinaryIO, Protocol, TextIO, runtime_checkable

from biogpt_onnx.files.rows import Row
from biogpt_onnx.runtime.errors import BioGptError
from biogpt_onnx.runtime.result_base import plain_data

Record = dict[str, Any]
"""A JSON object."""


class OutputFormat(Protocol):
    """A format in which results are written.

    Attributes:
        needs_documents: True if records must hold the documents themselves.
    """

    needs_documents: bool

    def header(self) -> str:
        """Returns the text before the first result."""
        ...

    def format_record(self, record: Record) -> str:
        """Returns the text of one record; empty if the format has no place for it."""
        ...

    def footer(self) -> str:
        """Returns the text behind the last result."""
        ...


@runtime_checkable
class WholeFile(Protocol):
    """A binary format, which is written to a file when all results are there.

    Attributes:
        needs_documents: True if records must hold the documents themselves.
    """

    needs_documents: bool

    def write_all(self, records: Iterable[Record], stream: BinaryIO) -> None:
        """Writes all records to a stream that can seek."""
        ...


def record_of(row: Row, result: object, *, keep_document: bool = False) -> Record:
    """Returns the record of one row.

    Args:
        row: The row.
        result: A result of `biogpt_onnx.tasks.results`, or the error of this document; ignored for a bad row.
        keep_document: Adds the document to the record.

    Returns:
        `{"line", "id"}` and the result's fields, with tuples as lists and None for numbers that are not finite; or
        `{"line", "id", "error"}`.
    """
    document = row.document
    if document is None:
        return {"line": row.line, "id": None, "error": row.problem}
    record: Record = {"line": row.line, "id": document.id}
    if isinstance(result, BioGptError):
        return record | {"error": str(result)}
    record |= plain_data(result)
    if keep_document:
        record["document"] = document_data(row)
    return record


def document_data(row: Row) -> Record:
    """Returns the document of a row as it stands in a record that keeps it; the row must have one."""
    document = row.document
    if document is None:
        raise ValueError("the row is no document")
    return {
        "title": document.title,
        "text": document.text,
        "question": document.question,
        "passages": plain_data([dataclasses.astuple(passage) for passage in row.passages]),
        "entities": plain_data(document.entities or ()),
    }


def write_records(output_format: OutputFormat | WholeFile, records: Iterable[Record], stream: TextIO) -> None:
    """Writes records as a whole file."""
    if isinstance(output_format, WholeFile):
        output_format.write_all(records, stream.buffer)
        return
    stream.write(output_format.header())
    stream.writelines(output_format.format_record(record) for record in records)
    stream.write(output_format.footer())
