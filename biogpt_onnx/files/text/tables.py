"""Tables: comma-separated as in RFC 4180, and tab-separated without quoting, with a header or without."""

import csv
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from biogpt_onnx.files import rows
from biogpt_onnx.files.rows import RowError
from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.files.text.fields import FieldRow
from biogpt_onnx.files.text.lines import Line, lines_of
from biogpt_onnx.files.text.published_tables import published_fields
from biogpt_onnx.runtime.errors import DocumentError


@dataclass(frozen=True)
class _TableRow:
    line: int
    values: list[str]
    problem: str | None = None


def read_csv(stream: io.BufferedReader, name: str, columns: Columns) -> Iterator[FieldRow]:
    """Reads the rows of a comma-separated table; blank lines are skipped.

    Yields:
        The rows. A field has the name of its column in lower case and the column's number, from 1.

    Raises:
        DocumentError: The file is no text, or lacks a column.
    """
    return _rows(_csv_rows(lines_of(stream, name)), name, columns)


def read_tsv(stream: io.BufferedReader, name: str, columns: Columns) -> Iterator[FieldRow]:
    """Reads the rows of a tab-separated table; blank lines are skipped, and quotation marks are text.

    The tables of PubMedQA and HoC in Microsoft's repository have no header and are known by their content.

    Yields:
        The rows. A field has the name of its column in lower case and the column's number, from 1.

    Raises:
        DocumentError: The file is no text, or lacks a column.
    """
    found = (
        _TableRow(line.number, line.content.split("\t"), line.problem)
        for line in lines_of(stream, name)
        if line.problem is not None or line.content.strip()
    )
    return _rows(found, name, columns)


def check_header(header: Sequence[str], name: str, columns: Columns, remedy: str) -> None:
    """Refuses a table without a column that is asked for, or with two of its name.

    Args:
        header: The names of the table's columns, in lower case; each may also be called by its number, from 1.
        name: The table's name in errors.
        columns: The names that are asked for, in lower case.
        remedy: The end of the error about a column that is missing.

    Raises:
        DocumentError: A column is missing, or there twice.
    """
    names = {*header, *(str(number) for number in range(1, len(header) + 1))}
    missing = columns.missing(names)
    if missing is not None:
        has = ", ".join(header)[:200]
        raise DocumentError(f"{name} has no column {missing} (it has {has}): {remedy}")
    for used in columns.used(names):
        if header.count(used) > 1:
            raise DocumentError(f"{name} has {header.count(used)} columns {used}: name one of them otherwise")


def _rows(found: Iterator[_TableRow], name: str, columns: Columns) -> Iterator[FieldRow]:
    first = next(found, None)
    if first is None:
        raise DocumentError(f"{name} is empty: its first row must name the columns")
    if first.problem is not None:
        raise DocumentError(f"{name}, line {first.line}: {first.problem}")
    published = published_fields(first.values) if columns.header and columns.text is None else None
    fields_of = published or _reader(first, name, columns)
    for each in found if columns.header and published is None else chain((first,), found):
        try:
            yield FieldRow(each.line, fields_of(_checked(each, len(first.values))))
        except RowError as error:
            yield FieldRow(each.line, {}, str(error))


def _checked(row: _TableRow, num_columns: int) -> list[str]:
    if row.problem is not None:
        raise RowError(row.problem)
    if len(row.values) != num_columns:
        raise RowError(f"the row has {len(row.values)} columns, the first one has {num_columns}: mend it")
    return row.values


def _reader(first: _TableRow, name: str, columns: Columns) -> Callable[[list[str]], Mapping[str, object]]:
    """Returns the function that names the fields of a row.

    Raises:
        DocumentError: The first row shows that a column is missing, or there twice.
    """
    numbers = [str(number) for number in range(1, len(first.values) + 1)]
    header = [value.strip().lower() for value in first.values] if columns.header else numbers
    if not columns.header and columns.text is None:
        raise DocumentError(
            f"{name} has {len(header)} columns without names: say which of them is the text (the fields, text=1)"
        )
    remedy = "name the columns in its first row, or say that it has no header" if columns.header else "give another"
    check_header(header, name, columns, remedy)
    # A name counts more than a number.
    return lambda values: dict(zip(numbers, values, strict=True)) | dict(zip(header, values, strict=True))


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
