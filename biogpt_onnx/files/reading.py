"""Reading documents from a file or a stream of any format: the one place that knows the readers of all of them."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeVar

from biogpt_onnx.files.articles.jats import check_jats, read_jats
from biogpt_onnx.files.articles.pubmed import check_pubmed, read_pubmed, read_pubmed_versions
from biogpt_onnx.files.bioc.json_reader import check_bioc_json, read_bioc_json
from biogpt_onnx.files.bioc.xml_reader import check_bioc_xml, read_bioc_xml
from biogpt_onnx.files.formats import FORMATS, WITH_ENTITIES, WITH_FIELDS, Format, format_of, may_be
from biogpt_onnx.files.opening.content import format_by_content
from biogpt_onnx.files.opening.source import OpenSource, Source, is_stream, open_source
from biogpt_onnx.files.parquet.reader import check_parquet, read_parquet
from biogpt_onnx.files.pubtator.reader import read_pubtator
from biogpt_onnx.files.rows import Deletion, Row, Version
from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.files.text.fields import FieldRow, rows_of_fields
from biogpt_onnx.files.text.json_documents import check_json_documents, read_json_documents
from biogpt_onnx.files.text.json_lines import read_json_lines
from biogpt_onnx.files.text.lines import read_text_lines
from biogpt_onnx.files.text.tables import read_csv, read_tsv
from biogpt_onnx.runtime.errors import DocumentError

_DEFAULT_COLUMNS = Columns()
_PARQUET = "parquet"
_T = TypeVar("_T")

_FIELD_READERS: Mapping[Format, Callable[[io.BufferedReader, str, Columns], Iterator[FieldRow]]] = {
    "jsonl": lambda stream, name, _: read_json_lines(stream, name),
    "json": lambda stream, name, _: read_json_documents(stream, name),
    "csv": read_csv,
    "tsv": read_tsv,
}
_ROW_READERS: Mapping[Format, Callable[[io.BufferedReader, str], Iterator[Row]]] = {
    "text": read_text_lines,
    "pubtator": read_pubtator,
    "bioc": read_bioc_xml,
    "biocjson": read_bioc_json,
    "pubmed": read_pubmed,
    "jats": read_jats,
}
# Formats in which a later fault is one of the whole file: it is found before hours of work.
_CHECKS: Mapping[Format, Callable[[io.BufferedReader, str], None]] = {
    "bioc": check_bioc_xml,
    "biocjson": check_bioc_json,
    "json": check_json_documents,
    "pubmed": check_pubmed,
    "jats": check_jats,
}


def read_documents(
    source: Source, file_format: Format | None = None, columns: Columns = _DEFAULT_COLUMNS
) -> Iterator[Row]:
    """Reads the documents of a file one at a time, as the returned iterator is advanced.

    The first document is read at once, so that a file that cannot be read is refused before other work is done. One
    document is in memory at a time. A file that is compressed by gzip is unpacked as it is
    read.

    Args:
        source: A file; "-" for standard input; or a binary stream, which stays open.
        file_format: The file's format; None for the one that the content shows, else the one that the file's name
            stands for, and text for standard input and streams.
        columns: The names of the fields of JSON and tables.

    Returns:
        The rows in order; a bad row holds its problem and does not end the iteration.

    Raises:
        DocumentError: There is no such file, or it is bad as a whole: binary, truncated, of another format, without a
            column. The iterator raises it too if a stream turns out to be so further on.
    """
    return _begun(_documents(source, file_format, columns))


def read_versions(
    source: Source,
    file_format: Format | None = None,
    columns: Columns = _DEFAULT_COLUMNS,
    *,
    expected: Format | None = None,
) -> Iterator[Version | Deletion]:
    """Reads the documents of a file as versions, and what the file deletes; PubMed alone has numbers and deletions.

    The file is read once, as the returned iterator is advanced: a fault further on is found there.

    Args:
        source: A file.
        file_format: The file's format; None for the one that its content or its name shows.
        columns: The names of the fields of JSON and tables.
        expected: The format that the file must have, if `file_format` is None; None for any.

    Raises:
        DocumentError: There is no such file, or it is bad as a whole; the iterator raises it too.
    """
    with _opened(source, file_format) as (opened, found):
        if expected is not None and found != expected:
            raise DocumentError(
                f"{opened.name} is {found}, and what came before it {expected}: read each format by itself, or give "
                "the format that all are to be read as"
            )
        if found == "pubmed":
            yield from read_pubmed_versions(opened.stream, opened.name)
            return
        for row in _rows(opened, found, columns):
            yield Version(row, None if row.document is None else row.document.id)


def read_fields(
    source: Source, file_format: Format | None = None, columns: Columns = _DEFAULT_COLUMNS
) -> Iterator[FieldRow]:
    """Reads the rows of a file whose documents have named fields, with all fields of each, as `read_documents` does.

    Raises:
        DocumentError: There is no such file, or it is bad as a whole, or its format has no named fields.
    """
    return _begun(_fields(source, file_format, columns))


def detect_format(source: Source) -> "Detected":
    """Returns the format of a file.

    Args:
        source: A file.

    Raises:
        DocumentError: The file cannot be read, or neither its content nor its name says what it holds.
    """
    with open_source(source) as opened:
        return _detect(opened)


class Detected(NamedTuple):
    """The format of a file.

    Attributes:
        format: The format.
        by_name: The format that the name stands for, where the content shows another one; else None.
    """

    format: Format
    by_name: Format | None = None


def _detect(opened: OpenSource) -> Detected:
    by_content = format_by_content(opened.head())
    try:
        by_name = "text" if opened.file_name is None else format_of(opened.file_name)
    except DocumentError:
        if by_content is None:
            raise
        return Detected(by_content)
    if by_content is None or by_content == by_name or opened.file_name is None or by_content in may_be(by_name):
        return Detected(by_content or by_name)
    return Detected(by_content, by_name)


def _documents(source: Source, file_format: Format | None, columns: Columns) -> Iterator[Row]:
    file_format = _checked(source, file_format, columns)
    with _opened(source, file_format) as (opened, found):
        yield from _rows(opened, found, columns)


def _rows(opened: OpenSource, found: Format, columns: Columns) -> Iterator[Row]:
    if columns.entities is not None and found not in WITH_ENTITIES:
        raise DocumentError(f"{opened.name} is {found}, which has no place for named entities: give another format")
    if columns.with_conclusion and found not in WITH_FIELDS:
        raise DocumentError(f"{opened.name} is {found}, which has no field for conclusions: give another format")
    if found in WITH_FIELDS:
        columns = columns.lowered() if found in {"csv", "tsv", _PARQUET} else columns
        yield from rows_of_fields(_field_rows(opened, found, columns), columns)
    else:
        yield from _ROW_READERS[found](opened.stream, opened.name)


def _fields(source: Source, file_format: Format | None, columns: Columns) -> Iterator[FieldRow]:
    file_format = _checked(source, file_format, columns, with_all=True)
    with _opened(source, file_format) as (opened, found):
        if found not in WITH_FIELDS:
            raise DocumentError(f"{opened.name} is {found}, which has no named fields: give JSON or a table")
        yield from _field_rows(opened, found, columns.lowered(), with_all=True)


def _field_rows(opened: OpenSource, found: Format, columns: Columns, *, with_all: bool = False) -> Iterator[FieldRow]:
    """Returns the rows of a format with named fields; of Parquet, only the fields that are used are read, or all."""
    if found == _PARQUET:
        return read_parquet(_file_of(opened), columns, with_all=with_all)
    return _FIELD_READERS[found](opened.stream, opened.name, columns)


def _checked(source: Source, file_format: Format | None, columns: Columns, *, with_all: bool = False) -> Format | None:
    """Reads a source that can be read twice to its end, if it may be bad as a whole there; returns its format."""
    if is_stream(source):
        return file_format
    with _opened(source, file_format) as (opened, found):
        if found == _PARQUET:
            check_parquet(_file_of(opened), columns.lowered(), with_all=with_all)
        elif found in _CHECKS:
            _CHECKS[found](opened.stream, opened.name)
        elif opened.is_compressed:
            opened.read_to_end()
    return found


def _file_of(opened: OpenSource) -> Path:
    """Returns the file of a source, for a format that is read from its end.

    Raises:
        DocumentError: There is none: it is a stream, compressed, or in an archive.
    """
    if opened.path is None or opened.is_compressed:
        what = "compressed by gzip" if opened.is_compressed else "no file of its own"
        raise DocumentError(
            f"{opened.name} is Parquet, but {what}: Parquet is read from a plain file, so write it to one"
        )
    return opened.path


@contextmanager
def _opened(source: Source, file_format: Format | None) -> Iterator[tuple[OpenSource, Format]]:
    """Opens a source, with its format."""
    if file_format is not None and file_format not in FORMATS:
        raise DocumentError(f"format is {file_format!r}: known are {', '.join(FORMATS)}")
    with open_source(source) as opened:
        yield opened, file_format or _detect(opened).format


def _begun(found: Iterator[_T]) -> Iterator[_T]:
    first = next(found, None)
    return found if first is None else chain((first,), found)
