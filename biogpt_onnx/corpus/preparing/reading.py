"""Reading of inputs into one file of rows, in which the newest versions are known."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from biogpt_onnx.corpus.preparing.archives import MemberCounts, documents_of_archive
from biogpt_onnx.corpus.preparing.inputs import written_name
from biogpt_onnx.corpus.preparing.newest import NewestVersions
from biogpt_onnx.corpus.units import characters_of, numbered, row_line
from biogpt_onnx.files.formats import Format
from biogpt_onnx.files.opening.archive import is_archive
from biogpt_onnx.files.reading import read_versions
from biogpt_onnx.files.rows import Deletion, Version
from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.runtime.bundle import hash_file
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document

_SEPARATOR = "\t"


@dataclass
class RowCounts:
    """Numbers of what was read.

    Attributes:
        documents: Number of documents that count.
        problems: Number of these that are bad rows.
        characters: Number of their characters; see `characters_of`.
        superseded: Number of documents of which a newer version is there.
        deleted: Number of documents that a later input deletes.
        skipped_members: Number of members of archives that were not read.
    """

    documents: int = 0
    problems: int = 0
    characters: int = 0
    superseded: int = 0
    deleted: int = 0
    skipped_members: int = 0


@dataclass(frozen=True)
class RowsRead:
    """The rows of all inputs, in a file.

    Attributes:
        path: The file: a line for each row, behind its number of characters.
        kept: A byte for each row: 1 for one that counts, else 0.
        counts: The numbers.
        inputs: A description of each input, as JSON values.
    """

    path: Path
    kept: bytearray
    counts: RowCounts
    inputs: list[dict[str, Any]]

    def lines(self) -> Iterator[tuple[str, int]]:
        """Yields the line of each document that counts, with its number in the run, and its number of characters."""
        number = 0
        with self.path.open(encoding="utf-8", newline="\n") as lines:
            for is_kept, line in zip(self.kept, lines, strict=True):
                if is_kept:
                    number += 1
                    characters, _, rest = line.partition(_SEPARATOR)
                    yield numbered(rest, number), abs(int(characters))


def read_rows(  # noqa: PLR0913 -- what, as what, and where to
    files: Sequence[Path],
    file_format: Format,
    columns: Columns,
    folder: Path,
    *,
    keep_duplicates: bool,
    progress: Callable[[int, int], None],
    seen: Callable[[Document], None] = lambda _: None,
) -> RowsRead:
    """Reads all inputs once; memory does not grow with the number of documents, but for a byte of each.

    Args:
        files: The inputs.
        file_format: Their format.
        columns: The names of the fields of JSON and tables.
        folder: The folder in which the rows are kept.
        keep_duplicates: True to keep documents that share an id, and those that were deleted.
        progress: Called with the number of inputs that were read, and of all.
        seen: Called with each document.

    Raises:
        DocumentError: An input cannot be read, is damaged, or changed while it was read.
    """
    path = folder / "rows"
    inputs = []
    with (
        path.open("x", encoding="utf-8", newline="\n") as rows,
        NewestVersions.open(folder / "versions.sqlite") as versions,
    ):
        writer = _RowWriter(rows, versions, seen, keep_duplicates=keep_duplicates)
        skipped = 0
        for number, file in enumerate(files):
            progress(number, len(files))
            before = _state(file)
            description = {"name": written_name(file), "bytes": before[0], "sha256": hash_file(file)}
            members = MemberCounts()
            found = writer.add(number, _read(file, file_format, columns, members))
            if _state(file) != before:
                raise DocumentError(f"{file} changed while it was read: wait until it is complete, and prepare again")
            skipped += members.skipped
            inputs.append(description | {"documents": found} | ({"members": members.read} if members.read else {}))
        progress(len(files), len(files))
        kept = versions.kept()
        counts = _counts(path_of_rows=path, flush=rows.flush, kept=kept)
        counts.deleted, counts.skipped_members = versions.deleted, skipped
    counts.superseded = len(kept) - counts.documents - counts.deleted
    return RowsRead(path, kept, counts, inputs)


def _read(
    file: Path, file_format: Format, columns: Columns, members: MemberCounts
) -> Iterator[tuple[Version | Deletion, str | None]]:
    """Yields what an input holds, each with the name of the member that holds it, if the input is an archive."""
    if not is_archive(file.name):
        yield from ((each, None) for each in read_versions(file, file_format, columns))
        return
    for name, source in documents_of_archive(file, members):
        yield from ((each, name) for each in read_versions(source, None, columns, expected=file_format))


class _RowWriter:
    """Writes rows behind each other, and notes their versions."""

    def __init__(
        self, rows: TextIO, versions: NewestVersions, seen: Callable[[Document], None], *, keep_duplicates: bool
    ) -> None:
        self._rows, self._versions, self._seen, self._keeps_all = rows, versions, seen, keep_duplicates

    def add(self, number_of_input: int, found: Iterable[tuple[Version | Deletion, str | None]]) -> int:
        """Adds what an input holds; returns the number of documents."""
        number = 0
        for each, member in found:
            if isinstance(each, Deletion):
                if not self._keeps_all:
                    self._versions.delete(each.id, each.number)
                continue
            if each.row.document is not None:
                self._seen(each.row.document)
            # A bad row, of which nothing more is known, has less than no characters.
            characters = characters_of(each.row) if each.row.document is not None else -1
            self._rows.write(f"{characters}{_SEPARATOR}{row_line(number_of_input, each.row, member)}")
            self._versions.add(None if self._keeps_all else each.id, each.number)
            number += 1
        return number


def _counts(path_of_rows: Path, flush: Callable[[], None], kept: bytearray) -> RowCounts:
    flush()
    counts = RowCounts()
    with path_of_rows.open(encoding="utf-8", newline="\n") as lines:
        for is_kept, line in zip(kept, lines, strict=True):
            if is_kept:
                characters = int(line.partition(_SEPARATOR)[0])
                counts.documents += 1
                counts.problems += characters < 0
                counts.characters += abs(characters)
    return counts


def _state(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino
