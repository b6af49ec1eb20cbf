"""Newest versions: of documents with one id the one that counts, found on the disk for any number of documents."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Self
from urllib.parse import quote

from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.runtime.system.files import remove_file

_CACHE_KILOBYTES = 64 * 1024
_TABLE = """
CREATE TABLE versions (id TEXT, number INTEGER, position INTEGER, PRIMARY KEY (id, number)) WITHOUT ROWID
"""
# Of a row with a maximum, SQLite takes the other columns from the row that has it.
_WINNERS = "SELECT position, max(number) FROM versions GROUP BY id"


class NewestVersions:
    """The positions of the newest versions of documents, opened by `NewestVersions.open`.

    A version replaces an earlier one of the same id and number; of different numbers the highest counts; a deletion
    takes the version of its number away, if that came before.

    Attributes:
        total: Number of the documents that were added.
        deleted: Number of the documents that deletions took away.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._without_id: list[int] = []
        self.total = 0
        self.deleted = 0

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Opens an empty collection that is kept in a file, which the block's end removes.

        Args:
            path: The file, which must not exist.

        Raises:
            DocumentError: The file cannot be written.
        """
        try:
            # Nobody else knows of the file, and network file systems may have no locks.
            connection = sqlite3.connect(f"{_address(path)}?nolock=1", uri=True, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode = OFF")
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute(f"PRAGMA cache_size = -{_CACHE_KILOBYTES}")
                connection.execute(_TABLE)
                connection.execute("BEGIN")
                yield cls(connection)
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise DocumentError(f"{path} cannot be written ({error}): see to it and run the same again") from error
        finally:
            remove_file(path)

    def add(self, document_id: str | None, number: int) -> None:
        """Adds a version of a document, behind all that were added; one without an id counts in any case."""
        if document_id is None:
            self._without_id.append(self.total)
        else:
            self._connection.execute(
                "INSERT OR REPLACE INTO versions VALUES (?, ?, ?)", (document_id, number, self.total)
            )
        self.total += 1

    def delete(self, document_id: str, number: int) -> None:
        """Takes a version of a document away; does nothing if there is none."""
        found = self._connection.execute("DELETE FROM versions WHERE id = ? AND number = ?", (document_id, number))
        self.deleted += found.rowcount

    def kept(self) -> bytearray:
        """Returns a byte for each document that was added: 1 if it counts, else 0."""
        found = bytearray(self.total)
        for position in self._without_id:
            found[position] = 1
        for position, _ in self._connection.execute(_WINNERS):
            found[position] = 1
        return found


def _address(path: PurePath) -> str:
    """Returns a file's path in SQLite's form: `file:///folder/name`, and `file:///C:/folder/name` on Windows."""
    return f"file:///{quote(path.as_posix().removeprefix('/'), errors='surrogateescape')}"
