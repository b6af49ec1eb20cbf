"""Outputs of results: a file that survives interruptions, or standard output as results come."""

import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TextIO

from biogpt_onnx.files.journal.journal import SUFFIX, Journal
from biogpt_onnx.files.records import OutputFormat, WholeFile, record_of, write_records
from biogpt_onnx.files.rows import Row
from biogpt_onnx.runtime.errors import DocumentError


class Results(Protocol):
    """An open output of results.

    Attributes:
        done: Number of rows whose results an interrupted run has already written; `skip_done` skips them.
        failed: Number of those rows whose results are errors.
        journal: The file that keeps the results if the run is interrupted; None for none.
    """

    done: int
    failed: int
    journal: Path | None

    def keep(self, count: int) -> None:
        """Drops all results of the interrupted run but the first ones.

        Args:
            count: Number of results to keep, at most `done`.
        """
        ...

    def skip_done(self, rows: Iterator[Row]) -> None:
        """Takes the rows whose results are there already.

        Raises:
            DocumentError: They are on other lines than those that the results belong to.
        """
        ...

    def add(self, results: Iterable[tuple[Row, object]]) -> None:
        """Adds a block of rows with their results, in the order of the input."""
        ...

    def finish(self) -> None:
        """Completes the output after the last row."""
        ...


@contextmanager
def open_results(  # noqa: PLR0913 -- where to, as what, of what, and how
    output: Path | None,
    output_format: OutputFormat | WholeFile,
    identity: Mapping[str, Any],
    *,
    inputs: Iterable[Path] = (),
    restart: bool = False,
    overwrite: bool = False,
) -> Iterator[Results]:
    """Opens an output of results; see `Journal.open`.

    Args:
        output: The file; None for standard output, which has no journal. A name that ends with `.gz` is compressed.
        output_format: The format of the results.
        identity: Everything that determines the results, without the output's format.
        inputs: The files and folders that are read, and so must not be replaced.
        restart: Discards the results of an interrupted run.
        overwrite: Replaces an output that exists.

    Yields:
        The open output.

    Raises:
        DocumentError: The output cannot be opened, see `Journal.open`, or it is an input.
    """
    if output is None:
        if isinstance(output_format, WholeFile):
            raise DocumentError("a binary form of results is written to a file only: name one")
        yield _StreamedResults(sys.stdout, output_format)
        return
    for path in inputs:
        _refuse_input(output, path)
    # A journal without documents is of no use to a format that needs them, and the other way round.
    identity = {**identity, "output": type(output_format).__name__}
    with Journal.open(output, identity, restart=restart, overwrite=overwrite) as journal:
        yield _JournaledResults(journal, output_format)


def _refuse_input(output: Path, path: Path) -> None:
    """Refuses an output that would replace an input, or whose journal would."""
    if not path.exists():
        return
    if path.is_dir() and output.resolve().is_relative_to(path.resolve()):
        raise DocumentError(f"{output} lies in {path}, which is read: name another file")
    for written in (output, output.with_name(output.name + SUFFIX)):
        if written.exists() and written.samefile(path):
            raise DocumentError(f"{output} would replace {path}, which is read: name another file")


class _JournaledResults:
    def __init__(self, journal: Journal, output_format: OutputFormat | WholeFile) -> None:
        self._journal = journal
        self._format = output_format
        self.done = journal.done
        self.failed = journal.failed
        self.journal: Path | None = journal.path

    def keep(self, count: int) -> None:
        if count < self.done:
            self._journal.keep(count)
            self.done, self.failed = self._journal.done, self._journal.failed

    def skip_done(self, rows: Iterator[Row]) -> None:
        for line in self._journal.lines():
            row = next(rows, None)
            if row is None or row.line != line:
                there = "ends before it" if row is None else f"has line {row.line} there"
                self._journal.refuse(f"they have line {line} where the input {there}")

    def add(self, results: Iterable[tuple[Row, object]]) -> None:
        keep = self._format.needs_documents
        self._journal.add([record_of(row, result, keep_document=keep) for row, result in results])

    def finish(self) -> None:
        self._journal.finish(partial(write_records, self._format))


class _StreamedResults:
    def __init__(self, stream: TextIO, output_format: OutputFormat) -> None:
        if isinstance(stream, io.TextIOWrapper):
            # All formats are UTF-8, whatever the terminal's encoding.
            stream.reconfigure(encoding="utf-8", newline="\n")
        self._stream = stream
        self._format = output_format
        self.done = 0
        self.failed = 0
        self.journal: Path | None = None
        self._stream.write(output_format.header())

    def keep(self, count: int) -> None:
        """Drops nothing: no row is done before the stream begins."""

    def skip_done(self, rows: Iterator[Row]) -> None:
        """Takes nothing: no row is done before the stream begins."""

    def add(self, results: Iterable[tuple[Row, object]]) -> None:
        keep = self._format.needs_documents
        for row, result in results:
            self._stream.write(self._format.format_record(record_of(row, result, keep_document=keep)))
        self._stream.flush()

    def finish(self) -> None:
        self._stream.write(self._format.footer())
        self._stream.flush()
