"""What is kept of a result: plain data, from which every form of output can be written."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TextIO

from biogpt_onnx.files.item import Item
from biogpt_onnx.runtime.errors import BioGptError
from biogpt_onnx.tasks.results import Relation

Record = dict[str, Any]
"""A JSON object."""


class OutputFormat(Protocol):
    """A form in which results are written.

    Attributes:
        keeps_documents: whether records must hold the documents themselves.
    """

    keeps_documents: bool

    def beginning(self) -> str:
        """What stands before the first result."""
        ...

    def of(self, record: Record) -> str:
        """What is written of one record; nothing where the form has no place for it."""
        ...

    def end(self) -> str:
        """What stands behind the last result."""
        ...


def record_of(item: Item, result: object, *, keep_document: bool = False) -> Record:
    """The record of one row.

    Args:
        item: the row.
        result: one of `biogpt_onnx.tasks.results`, or the error that this document met; ignored where the row is bad.
        keep_document: whether the document is part of it.

    Returns:
        `{"line", "id"}` and the result's fields, tuples as lists and numbers that are not finite as None; or
        `{"line", "id", "error"}`.
    """
    document = item.document
    if document is None:
        return {"line": item.line, "id": None, "error": item.problem}
    record: Record = {"line": item.line, "id": document.id}
    if isinstance(result, BioGptError):
        return record | {"error": str(result)}
    record |= _plain(result)
    if keep_document:
        passages = [dataclasses.astuple(passage) for passage in item.passages]
        record["document"] = {"title": document.title, "text": document.text, "passages": _plain(passages)}
    return record


def write_records(output_format: OutputFormat, records: Iterable[Record], stream: TextIO) -> None:
    """Writes records as a whole file."""
    stream.write(output_format.beginning())
    stream.writelines(output_format.of(record) for record in records)
    stream.write(output_format.end())


def _plain(value: Any) -> Any:  # noqa: ANN401 -- whatever a result holds
    if dataclasses.is_dataclass(value):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return fields | ({"in_source": value.in_source} if isinstance(value, Relation) else {})
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
