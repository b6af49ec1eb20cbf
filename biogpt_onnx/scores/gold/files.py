"""Gold files, read as files of documents are, with every field checked where it is read."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.files.reading import detect_format, read_fields
from biogpt_onnx.files.rows import RowError
from biogpt_onnx.files.text.columns import ID_NAMES, Columns
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document

_COLUMNS = Columns()


@dataclass(frozen=True)
class Entry:
    """A JSON object of a gold file.

    Attributes:
        where: names the file and the document in messages.
        fields: its fields, of any types.
    """

    where: str
    fields: Mapping[str, object]

    def text(self, name: str, *, optional: bool = False) -> str:
        """Returns a field that is text.

        Args:
            name: the field.
            optional: whether a field that is missing or null is "".

        Raises:
            DocumentError: the field is missing or no text.
        """
        value = self.fields.get(name)
        if value is None and optional:
            return ""
        if not isinstance(value, str):
            raise self._wrong(name, "text")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Returns a field that is a list of texts.

        Raises:
            DocumentError: the field is missing or no such list.
        """
        values = self.fields.get(name)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self._wrong(name, "a list of texts")
        return tuple(values)

    def entries(self, name: str) -> tuple["Entry", ...]:
        """Returns a field that is a list of objects; no objects for null, which Microsoft's files may have.

        Raises:
            DocumentError: the field is missing or no such list.
        """
        values = self.fields.get(name)
        if values is None and name in self.fields:
            return ()
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise self._wrong(name, "a list of objects")
        return tuple(Entry(f"{self.where}, {name} {number}", value) for number, value in enumerate(values, start=1))

    def names(self, name: str) -> dict[str, str]:
        """Returns a field that maps texts to texts.

        Raises:
            DocumentError: the field is missing or no such object.
        """
        values = self.fields.get(name)
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise self._wrong(name, "an object of texts")
        return values

    def _wrong(self, name: str, kind: str) -> DocumentError:
        found = "is missing" if name not in self.fields else f"is of type {type(self.fields[name]).__name__}"
        return DocumentError(f"{self.where}: the field {name!r} {found}: it must be {kind}")


def read_entry(path: Path) -> Entry:
    """Reads a file that is one JSON object.

    Raises:
        DocumentError: the file is not UTF-8, not JSON, or no object, or an object has a name twice.
        OSError: the file cannot be read.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            ((name, times),) = Counter(name for name, _ in pairs).most_common(1)
            raise DocumentError(
                f"{path} has {name[:60]!r} {times} times in one object: give each document an id of its own"
            )
        return found

    try:
        # A plain dictionary keeps the last of two documents with one id, and nobody notices.
        fields = json.loads(_text(path), object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise DocumentError(f"{path} is not JSON (line {error.lineno})") from error
    except DocumentError:
        raise
    except (ValueError, RecursionError) as error:
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DocumentError(f"{path} is not JSON: {what}") from error
    if not isinstance(fields, dict):
        raise DocumentError(f"{path} holds a JSON {type(fields).__name__}: it must be an object of documents by id")
    return Entry(str(path), fields)


def read_documents(path: Path, columns: Columns = _COLUMNS) -> Iterator[tuple[str | None, Entry]]:
    """Reads a file of documents in any format that has named fields: JSON, JSON lines or a table.

    Args:
        path: the file.
        columns: says whether a table has a header.

    Yields:
        The id, or None, and the fields of each document.

    Raises:
        DocumentError: the file or a document is malformed, two documents have the same id, or there are none.
        OSError: the file cannot be read.
    """
    # A file that is not there is an error of the system, before any of its content.
    path.open("rb").close()
    found = detect_format(path).format
    # Gold is never BioC, for which a name in .json stands where the content shows nothing.
    file_format = "json" if found == "biocjson" else found
    kind = "document" if file_format == "json" else "line"
    rows_of: dict[str, int] = {}
    row = None
    for row in read_fields(path, file_format, columns):
        place = f"{path}, {kind} {row.line}"
        if row.problem is not None:
            raise DocumentError(f"{place}: {row.problem}")
        name = next((str(row.fields[field]) for field in ID_NAMES if field in row.fields), None)
        if name is not None and rows_of.setdefault(name, row.line) != row.line:
            raise DocumentError(f"{place} has the id {name!r}, as {kind} {rows_of[name]} has: keep one of them")
        yield name, Entry(place if name is None else f"{path}, document {name!r}", row.fields)
    if row is None:
        raise DocumentError(f"{path} holds no documents")


def document_of(entry: Entry, columns: Columns = _COLUMNS) -> Document:
    """Returns the document of a row, as the commands that answer documents read it.

    Raises:
        DocumentError: a field is missing or malformed.
    """
    try:
        return columns.document(entry.fields)
    except RowError as error:
        raise DocumentError(f"{entry.where}: {error}") from error


def _text(path: Path) -> str:
    try:
        # utf-8-sig drops the byte order mark with which some editors begin a file.
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} is not UTF-8 (byte {error.start})") from error
