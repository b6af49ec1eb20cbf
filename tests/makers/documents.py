"""Files of documents, and results for them."""

import io
from dataclasses import replace
from pathlib import Path

from biogpt_onnx.files.formats import Format
from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.files.records import OutputFormat, Record, write_records
from biogpt_onnx.files.rows import Row
from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.results import Relation, Relations, Span


def read(data: bytes | str, file_format: Format, columns: Columns | None = None) -> list[Row]:
    """The items of a stream."""
    content = data.encode() if isinstance(data, str) else data
    return list(read_documents(io.BytesIO(content), file_format, columns or Columns()))


def unnamed(found: list[Document]) -> list[Document]:
    """Documents as they would be if their files named nothing."""
    return [replace(document, entities=None) for document in found]


def documents(items: list[Row]) -> list[Document]:
    """The documents of items none of which is bad."""
    assert [item.problem for item in items] == [None] * len(items)
    return [item.document for item in items if item.document is not None]


def problems(items: list[Row]) -> dict[int, str]:
    """What is wrong, by line."""
    return {item.line: item.problem for item in items if item.problem is not None}


def written(output_format: OutputFormat, records: list[Record]) -> str:
    """A whole file of records."""
    stream = io.StringIO()
    write_records(output_format, records, stream)
    return stream.getvalue()


def relations(*found: Relation) -> Relations:
    """A result with these relations."""
    return Relations(found, (), "as the model wrote it", 100, complete=True)


def relation(document: Document, head: str, tail: str, *, name: str = "CID", score: float = -0.5) -> Relation:
    """A relation of words of a document, each where it stands first, if it does."""
    return Relation(head, name, tail, _span(document, head), _span(document, tail), score)


def _span(document: Document, words: str) -> Span | None:
    start = document.full_text.find(words)
    return None if start < 0 else (start, start + len(words))


def save(folder: Path, name: str, content: str | bytes) -> Path:
    """A file in a folder."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
