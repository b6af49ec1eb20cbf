"""The journal: results on disk block by block, which a run that was interrupted continues."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Self, TextIO

from biogpt_onnx.files.journal.lines import NO_CHECKSUM, decode, encode
from biogpt_onnx.files.journal.lock import open_locked
from biogpt_onnx.files.opening.content import json_object_of
from biogpt_onnx.files.records import Record
from biogpt_onnx.files.text.json_lines import json_line
from biogpt_onnx.files.whole_file import check_output, write_whole_file
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.runtime.system.files import can_remove_open_files, flush, flush_names, reason_of, remove_file

SUFFIX = ".journal.jsonl"
"""The ending that the journal's name adds to the output's."""

_FORMAT = 2
_ELSE = "say --restart to give them up, or name another output"


class Journal:
    """The records of one output, in the order of its input; opened by `Journal.open`.

    The journal is a file of JSON lines beside the output: the run's identity, then a record a line, with a checksum of
    all records up to it. When the run is finished, the whole output appears at once and the journal is removed.

    Attributes:
        done: Number of records in the journal.
        failed: Number of these records that are errors.
    """

    def __init__(self, output: Path, path: Path, descriptor: int, *, overwrite: bool) -> None:
        self._output = output
        self._path = path
        self._descriptor: int | None = descriptor
        self._overwrite = overwrite
        # A journal no longer than this holds no record.
        self._empty_size = 0
        self._checksum = NO_CHECKSUM
        self.done = 0
        self.failed = 0

    @classmethod
    @contextmanager
    def open(
        cls, output: Path, identity: Mapping[str, Any], *, restart: bool = False, overwrite: bool = False
    ) -> Iterator[Self]:
        """Opens the journal of an output: a new one, or that of an interrupted run of the same identity.

        A block that is left without `finish`, for any reason, keeps a journal that holds a record.

        Args:
            output: The file that is written in the end.
            identity: Everything that determines the results, as JSON values: the digests of input and model, and the
                settings.
            restart: Discards the results of an interrupted run.
            overwrite: Replaces an output that exists.

        Yields:
            The journal.

        Raises:
            DocumentError: The output exists or cannot be written, another process is writing it, or the journal has
                another identity.
        """
        output = _resolved(output)
        check_output(output, overwrite=overwrite)
        path = output.with_name(output.name + SUFFIX)
        journal = cls(output, path, open_locked(path, output), overwrite=overwrite)
        try:
            # The process that held the lock before may have finished in between.
            check_output(output, overwrite=overwrite)
            journal._begin(json.loads(json.dumps(dict(identity))), restart=restart)
            yield journal
        finally:
            journal._leave()

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self._path

    def add(self, records: Iterable[Record]) -> None:
        """Adds a block of records and waits until they are on disk.

        Raises:
            DocumentError: They cannot be written; the blocks before are safe.
        """
        block, lines, checksum = list(records), [], self._checksum
        for record in block:
            line, checksum = encode(record, checksum)
            lines.append(line)
        self._write(b"".join(lines))
        self._checksum = checksum
        self.done += len(block)
        self.failed += sum(map(_is_error, block))

    def lines(self) -> Iterator[int | None]:
        """Yields the line of the input to which each record belongs, in order; None for a record without one."""
        for record in islice(self._records(), self.done):
            yield record.get("line")

    def keep(self, count: int) -> None:
        """Drops all records but the first ones; the rows of the others are answered again.

        Args:
            count: Number of records to keep, at most `done`.
        """
        kept = self._read(count)
        self._empty_size = kept.begin
        self._go_on_behind(kept)

    def refuse(self, reason: str) -> NoReturn:
        """Raises the error that the records cannot be continued.

        Raises:
            DocumentError: Always.
        """
        raise DocumentError(f"{self._path} holds results that cannot be continued, because {reason}: {_ELSE}")

    def finish(self, write: Callable[[Iterator[Record], TextIO], None]) -> None:
        """Writes the output, then removes the journal.

        Args:
            write: Writes all records to a text file, which becomes the output when the function returns; compressed if
                the output's name ends with `.gz`.

        Raises:
            DocumentError: The output cannot be written; the journal stays.
        """
        check_output(self._output, overwrite=self._overwrite)
        write_whole_file(
            self._output,
            lambda stream: write(self._records(), stream),
            f"its results are kept in {self._path}, so see to it and run the same again",
        )
        # It is removed here with all its records, and not once more: another process may have made a new one.
        self._empty_size = -1
        self._remove()

    def _begin(self, identity: dict[str, Any], *, restart: bool) -> None:
        # Even a run that begins anew must not replace a file that is no journal.
        found = self._read()
        if restart:
            found = _NOTHING
        if found.done and found.identity != identity:
            raise DocumentError(
                f"{self._path} holds {found.done:,} results of a run with "
                f"{_differences(found.identity, identity)}: {_ELSE}"
            )
        self._go_on_behind(found if found.done else _NOTHING)
        if not found.done:
            self._write(json_line({"format": _FORMAT, "identity": identity}).encode())
            self._empty_size = os.lseek(self._open_descriptor(), 0, os.SEEK_CUR)
            flush_names(self._path.parent)

    def _go_on_behind(self, found: "_Found") -> None:
        os.ftruncate(self._open_descriptor(), found.end)
        os.lseek(self._open_descriptor(), 0, os.SEEK_END)
        self.done, self.failed, self._checksum = found.done, found.failed, found.checksum

    def _read(self, most: int | None = None) -> "_Found":
        """Reads the identity and the records, or the first ones, up to the first that is damaged."""
        with self._path.open("rb") as stream:
            first = stream.readline()
            if not first.endswith(b"\n"):
                return _NOTHING
            header = json_object_of(first)
            identity = None if header is None or header.get("format") != _FORMAT else header.get("identity")
            if not isinstance(identity, dict):
                raise DocumentError(f"{self._path} is no journal of this version: remove it, or name another output")
            found = _Found(identity, 0, 0, len(first), len(first), NO_CHECKSUM)
            # Lines behind one that a crash has damaged are not reliable: their rows are run again.
            for line in islice(stream, most):
                each = decode(line, found.checksum)
                if each is None:
                    break
                failed, end = found.failed + _is_error(each.record), found.end + len(line)
                found = _Found(identity, found.done + 1, failed, found.begin, end, each.checksum)
        return found

    def _records(self) -> Iterator[Record]:
        with self._path.open("rb") as stream:
            stream.readline()
            checksum = NO_CHECKSUM
            for line in stream:
                found = decode(line, checksum)
                if found is None:
                    raise DocumentError(f"{self._path} was changed while it was used: run the same again")
                checksum = found.checksum
                yield found.record

    def _write(self, content: bytes) -> None:
        descriptor = self._open_descriptor()
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            flush(descriptor)
        except OSError as error:
            raise DocumentError(
                f"{self._path} cannot be written ({reason_of(error)}): it keeps {self.done:,} results, "
                "so see to it and run the same again"
            ) from error

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            raise ValueError(f"the journal of {self._output} is closed")
        return self._descriptor

    def _remove(self) -> None:
        # Where it can be, the lock is held to the end.
        if not can_remove_open_files():
            self._close()
        remove_file(self._path)

    def _leave(self) -> None:
        try:
            if self._descriptor is not None and os.fstat(self._descriptor).st_size <= self._empty_size:
                self._remove()
        finally:
            self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class _Found(NamedTuple):
    """The content of a journal, the offsets before its first and behind its last sound record, and their checksum."""

    identity: dict[str, Any]
    done: int
    failed: int
    begin: int
    end: int
    checksum: int


_NOTHING = _Found({}, 0, 0, 0, 0, NO_CHECKSUM)


def _is_error(record: Record) -> bool:
    return "error" in record


def _resolved(output: Path) -> Path:
    try:
        # Of a link, the file behind it is replaced, not the link.
        return output.resolve()
    except (OSError, RuntimeError) as error:
        raise DocumentError(f"{output} cannot be written ({error}): name another file") from error


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in (*then, *(name for name in now if name not in then)) if then.get(name) != now.get(name)]
    return ", ".join(_difference(name, then.get(name), now.get(name)) for name in names)


def _difference(name: str, then: object, now: object) -> str:
    if isinstance(then, dict) and isinstance(now, dict):
        return _differences(then, now)
    return f"{name} {_short(then)} (it is {_short(now)} now)"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."


_SHORT = 40
"""The most characters of a value in an error; enough to tell two digests apart."""
