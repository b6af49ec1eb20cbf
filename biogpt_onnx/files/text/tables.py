"""Tables with a header: comma-separated as in RFC 4180, and tab-separated without quoting."""

import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from biogpt_onnx.files import rows
from biogpt_onnx.files.rows import Row, RowError, checked_row
from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.files.text.lines import Line, lines_of
from biogpt_onnx.runtime.errors import DocumentError


@dataclass(frozen=True)
class _TableRow:
    line: int
    values: list[str]
    problem: str | None = None


def read_csv(stream: io.BufferedReader, name: str, columns: Columns) -> Iterator[Row]:
    """Reads the documents of a comma-separated table; blank lines are skipped.

    Raises:
        DocumentError: The file is no text, or its header lacks a column.
    """
    return _documents(_csv_rows(lines_of(stream, name)), name, columns.lowered())


def read_tsv(stream: io.BufferedReader, name: str, columns: Columns) -> Iterator[Row]:
    """Reads the documents of a tab-separated table; blank lines are skipped, and quotation marks are text.

    Raises:
        DocumentError: The file is no text, or its header lacks a column.
    """
    rows = (
        _TableRow(line.number, line.content.split("\t"), line.problem)
        for line in lines_of(stream, name)
        if line.problem is not None or line.content.strip()
    )
    return _documents(rows, name, columns.lowered())


def _documents(rows: Iterator[_TableRow], name: str, columns: Columns) -> Iterator[Row]:
    header = _header(next(rows, None), name, columns)
    for each in rows:
        try:
            yield checked_row(each.line, columns.document(_fields(header, each)))
        except RowError as error:
            yield Row(each.line, None, str(error))


def _header(first: _TableRow | None, name: str, columns: Columns) -> list[str]:
    if first is None:
        raise DocumentError(f"{name} is empty: its first row must name the columns")
    if first.problem is not None:
        raise DocumentError(f"{name}, line {first.line}: {first.problem}")
    header = [value.strip().lower() for value in first.values]
    missing = columns.missing(header)
    if missing is not None:
        raise DocumentError(
            f"{name} has no column {missing} (it has {', '.join(header)[:200]}): name the columns in its first row"
        )
    for used in columns.used(header):
        if header.count(used) > 1:
            raise DocumentError(f"{name} has {header.count(used)} columns {used}: name one of them otherwise")
    return header


def _fields(header: list[str], found: _TableRow) -> dict[str, str]:
    if found.problem is not None:
        raise RowError(found.problem)
    if len(found.values) != len(header):
        raise RowError(f"the row has {len(found.values)} columns, the header has {len(header)}: mend it")
    return dict(zip(header, found.values, strict=True))


class _Replayed:
    """Lines that can be given back, to be read again.

    Attributes:
        taken: The lines that were read since the list was last emptied.
    """

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self._given_back: deque[Line] = deque()
        self.taken: list[Line] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._given_back.popleft() if self._given_back else next(self._lines)
        self.taken.append(line)
        return line.text

    def give_back_all_but_first(self) -> None:
        self._given_back.extendleft(reversed(self.taken[1:]))


def _csv_rows(lines: Iterator[Line]) -> Iterator[_TableRow]:
    replayed = _Replayed(lines)
    reader = csv.reader(replayed, strict=True)
    while True:
        replayed.taken = []
        try:
            values = _next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _TableRow(replayed.taken[0].number, [], _problem(replayed.taken, error))
            # A quotation mark that nothing closes must not swallow the rows behind it.
            replayed.give_back_all_but_first()
            reader = csv.reader(replayed, strict=True)
            continue
        problem = next((line.problem for line in replayed.taken if line.problem is not None), None)
        if values or problem is not None:
            yield _TableRow(replayed.taken[0].number, values, problem)


def _next(reader: Iterator[list[str]]) -> list[str]:
    # The library's limit is one of the whole process, whose other readers keep theirs.
    limit = csv.field_size_limit(rows.MAX_CHARACTERS)
    try:
        return next(reader)
    finally:
        csv.field_size_limit(limit)


def _problem(taken: list[Line], error: csv.Error) -> str:
    known = next((line.problem for line in taken if line.problem is not None), None)
    if known is not None:
        return known
    if len(taken) > 1 or "unexpected end of data" in str(error):
        return "the row begins a quoted field that nothing ends: close it, and write quotation marks in it twice"
    return f"the row is no comma-separated one ({error}): mend it"
