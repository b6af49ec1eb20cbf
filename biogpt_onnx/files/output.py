"""Outputs of results: a file that survives interruptions, or standard output as results come."""

import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TextIO

from biogpt_onnx.files.journal.journal import Journal
from biogpt_onnx.files.records import OutputFormat, WholeFile, record_of, write_records
from biogpt_onnx.files.rows import Row
from biogpt_onnx.runtime.errors import DocumentError


class Results(Protocol):
    """An open output of results.

    Attributes:
        done: Number of rows whose results an interrupted run has already written; they are to be skipped.
        failed: Number of those rows whose results are errors.
    """

    done: int
    failed: int

    def add(self, results: Iterable[tuple[Row, object]]) -> None:
        """Adds a block of rows with their results, in the order of the input."""
        ...

    def finish(self) -> None:
        """Completes the output after the last row."""
        ...


@contextmanager
def open_results(
    output: Path | None,
    output_format: OutputFormat | WholeFile,
    identity: Mapping[str, Any],
    *,
    restart: bool = False,
    overwrite: bool = False,
) -> Iterator[Results]:
    """Opens an output of results; see `Journal.open`.

    Args:
        output: The file; None for standard output, which has no journal.
        output_format: The format of the results.
        identity: Everything that determines the results, without the output's format.
        restart: Discards the results of an interrupted run.
        overwrite: Replaces an output that exists.

    Yields:
        The open output.

    Raises:
        DocumentError: The output cannot be opened; see `Journal.open`.
    """
    if output is None:
        if isinstance(output_format, WholeFile):
            raise DocumentError("a binary form of results is written to a file only: name one")
        yield _StreamedResults(sys.stdout, output_format)
        return
    # A journal without documents is of no use to a format that needs them, and the other way round.
    identity = {**identity, "output": type(output_format).__name__}
    with Journal.open(output, identity, restart=restart, overwrite=overwrite) as journal:
        yield _JournaledResults(journal, output_format)


class _JournaledResults:
    def __init__(self, journal: Journal, output_format: OutputFormat | WholeFile) -> None:
        self._journal = journal
        self._format = output_format
        self.done = journal.done
        self.failed = journal.failed

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
        self._stream.write(output_format.header())

    def add(self, results: Iterable[tuple[Row, object]]) -> None:
        keep = self._format.needs_documents
        for row, result in results:
            self._stream.write(self._format.format_record(record_of(row, result, keep_document=keep)))
        self._stream.flush()

    def finish(self) -> None:
        self._stream.write(self._format.footer())
        self._stream.flush()
