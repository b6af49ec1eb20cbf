"""Gold files in JSON and in tables, with every field checked where it is read."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.runtime.errors import DocumentError


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
    except (json.JSONDecodeError, RecursionError) as error:
        place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ": it is nested too deeply"
        raise DocumentError(f"{path} is not JSON{place}") from error
    if not isinstance(fields, dict):
        raise DocumentError(f"{path} holds a JSON {type(fields).__name__}: it must be an object of documents by id")
    return Entry(str(path), fields)


def read_documents(path: Path) -> Iterator[tuple[str, Entry]]:
    """Reads a JSON file that is an object of documents.

    Yields:
        The id and the fields of each document.

    Raises:
        DocumentError: the file is not an object of objects, or is empty.
        OSError: the file cannot be read.
    """
    documents = read_entry(path).fields
    if not documents:
        raise DocumentError(f"{path} holds no documents")
    for name, fields in documents.items():
        where = f"{path}, document {name!r}"
        if not isinstance(fields, dict):
            raise DocumentError(f"{where} is of type {type(fields).__name__}: it must be an object")
        yield name, Entry(where, fields)


def read_rows(path: Path) -> Iterator[tuple[str, str, str]]:
    """Reads a file with two columns and a tab between them; blank lines are skipped.

    Yields:
        The file and line of each row, for messages, and its two columns without white space around them.

    Raises:
        DocumentError: a row has not two columns or an empty one, or there are no rows.
        OSError: the file cannot be read.
    """
    rows = 0
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) != 2:  # noqa: PLR2004 -- a text and its label
            raise DocumentError(f"{where} has {len(columns)} columns: it must have a text, a tab and its label")
        if not all(columns):
            raise DocumentError(f"{where} has an empty column: it must have a text, a tab and its label")
        rows += 1
        yield where, columns[0], columns[1]
    if not rows:
        raise DocumentError(f"{path} holds no documents")


def _text(path: Path) -> str:
    try:
        # utf-8-sig drops the byte order mark with which some editors begin a file.
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} is not UTF-8 (byte {error.start})") from error
