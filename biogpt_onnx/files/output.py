"""Results into a file, safe from interruptions, or to standard output as they come."""

import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TextIO

from biogpt_onnx.files.item import Item
from biogpt_onnx.files.journal import Journal
from biogpt_onnx.files.records import OutputFormat, record_of, write_records


class Results(Protocol):
    """Where results go.

    Attributes:
        done: rows of the input whose results are there already, from an interrupted run; they are to be skipped.
        failed: those of them whose results are errors.
    """

    done: int
    failed: int

    def add(self, results: Iterable[tuple[Item, object]]) -> None:
        """Adds a block: rows with their results, in the order of the input."""
        ...

    def finish(self) -> None:
        """Says that all rows are there."""
        ...


@contextmanager
def open_results(
    output: Path | None,
    output_format: OutputFormat,
    identity: Mapping[str, Any],
    *,
    restart: bool = False,
    overwrite: bool = False,
) -> Iterator[Results]:
    """Opens where results go; see `Journal.open`.

    Args:
        output: a file; None for standard output, which has no journal.
        output_format: in which form.
        identity: what determines the results, the form of the output not among it.
        restart: give up what an unfinished run has done.
        overwrite: replace the output if it is there.

    Raises:
        DocumentError: see `Journal.open`.
    """
    if output is None:
        yield _Streamed(sys.stdout, output_format)
        return
    # A journal without documents is of no use to a form that needs them, and the other way round.
    identity = {**identity, "output": type(output_format).__name__}
    with Journal.open(output, identity, restart=restart, overwrite=overwrite) as journal:
        yield _Journaled(journal, output_format)


class _Journaled:
    def __init__(self, journal: Journal, output_format: OutputFormat) -> None:
        self._journal = journal
        self._format = output_format
        self.done = journal.done
        self.failed = journal.failed

    def add(self, results: Iterable[tuple[Item, object]]) -> None:
        keep = self._format.keeps_documents
        self._journal.add([record_of(item, result, keep_document=keep) for item, result in results])

    def finish(self) -> None:
        self._journal.finish(partial(write_records, self._format))


class _Streamed:
    def __init__(self, stream: TextIO, output_format: OutputFormat) -> None:
        if isinstance(stream, io.TextIOWrapper):
            # Whatever the terminal's own encoding: the formats are UTF-8.
            stream.reconfigure(encoding="utf-8", newline="\n")
        self._stream = stream
        self._format = output_format
        self.done = 0
        self.failed = 0
        self._stream.write(output_format.beginning())

    def add(self, results: Iterable[tuple[Item, object]]) -> None:
        keep = self._format.keeps_documents
        for item, result in results:
            self._stream.write(self._format.of(record_of(item, result, keep_document=keep)))
        self._stream.flush()

    def finish(self) -> None:
        self._stream.write(self._format.end())
        self._stream.flush()
