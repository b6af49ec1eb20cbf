"""Sources of documents: a file, standard input or a stream, opened so that its beginning can be looked at."""

import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from biogpt_onnx.files.formats import STANDARD_INPUT
from biogpt_onnx.files.opening.content import json_object_of
from biogpt_onnx.files.opening.gunzip import MAGIC, Gunzip
from biogpt_onnx.runtime.errors import DocumentError


class NamedStream(NamedTuple):
    """A binary stream with the name of the file whose content it is.

    Attributes:
        name: The name, which errors have, and by which the format may be known.
        stream: The content.
    """

    name: str
    stream: BinaryIO | io.BufferedReader


Source = str | Path | BinaryIO | NamedStream
"""A file; "-" for standard input; or a binary stream, with a name or without."""

_HEAD_BYTES = 1 << 16
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What begins with one of these may go on over lines: more of it must be seen to tell what it is.
_LONGER = (b"{", b"[", b"<")


@dataclass
class OpenSource:
    """A source that is open for reading.

    Attributes:
        name: The source's name in errors.
        file_name: The file's name, by which its format may be known; None for a stream.
        stream: The content, unpacked if it is gzip.
        is_compressed: True if it is gzip.
        path: The file, if it is a plain one, which can be read at any place; else None.
    """

    name: str
    file_name: str | None
    stream: io.BufferedReader
    is_compressed: bool = False
    path: Path | None = None

    def head(self) -> bytes:
        """Returns the beginning of the content, which stays to be read: at most 64 KiB.

        Of a stream it is as much as shows what the content is, so that a pipe that gives line by line is not waited
        for.
        """
        head = bytearray()
        while len(head) < _HEAD_BYTES and not _is_enough(head) and (piece := self.stream.read1(_HEAD_BYTES)):
            head += piece
        self.stream = _buffered(_Replayed(bytes(head), self.stream))
        return bytes(head[:_HEAD_BYTES])

    def read_to_end(self) -> None:
        """Reads the rest, to refuse what is truncated or damaged.

        Raises:
            DocumentError: It is.
        """
        while self.stream.read1(_HEAD_BYTES):
            pass


@contextmanager
def open_source(source: Source) -> Iterator[OpenSource]:
    """Opens a source; gzip is known by its first bytes and unpacked as it is read.

    Raises:
        DocumentError: The source cannot be read.
    """
    if source == STANDARD_INPUT:
        source = sys.stdin.buffer
    name = _name_of(source)
    named = name or "standard input"
    try:
        with ExitStack() as stack:
            if isinstance(source, str | Path):
                stream = stack.enter_context(Path(source).open("rb"))
            else:
                stream = _given(source.stream if isinstance(source, NamedStream) else source, stack)
            opened = OpenSource(named, name, stream, path=_plain_file(source))
            if stream.peek(len(MAGIC)).startswith(MAGIC):
                unpacked = Gunzip(cast("BinaryIO", stream), named)
                opened.stream, opened.is_compressed = _buffered(unpacked), True
            yield opened
    except OSError as error:
        raise DocumentError(f"{named} cannot be read ({error.strerror or error}): name another file") from error


def is_stream(source: Source) -> bool:
    """Returns True for a source that can be read only once: standard input, a named pipe or an open stream."""
    return not isinstance(source, str | Path) or source == STANDARD_INPUT or not Path(source).is_file()


def _is_enough(head: bytearray) -> bool:
    """Returns True if a line has ended that is not blank and, if it is JSON or XML, is an object by itself."""
    line, *others = bytes(head).removeprefix(_BYTE_ORDER_MARK).lstrip().splitlines() or [b""]
    ended = bool(others) or head.endswith((b"\n", b"\r"))
    return ended and bool(line) and (not line.startswith(_LONGER) or json_object_of(line) is not None)


class _Replayed(io.RawIOBase):
    """A stream whose beginning was read and is given again."""

    def __init__(self, head: bytes, rest: io.BufferedReader) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        data = self._head[: len(buffer)] or self._rest.read1(len(buffer))
        self._head = self._head[len(data) :] if self._head else self._head
        buffer[: len(data)] = data
        return len(data)


def _name_of(source: Source) -> str | None:
    """Returns the name of a file; None for a stream without one."""
    if isinstance(source, NamedStream):
        return source.name
    return str(source) if isinstance(source, str | Path) else None


def _plain_file(source: Source) -> Path | None:
    return Path(source) if isinstance(source, str | Path) and Path(source).is_file() else None


def _given(stream: BinaryIO | io.BufferedReader, stack: ExitStack) -> io.BufferedReader:
    if isinstance(stream, io.BufferedReader):
        return stream
    # The buffer only calls `readinto`, which every binary stream has.
    buffered: io.BufferedReader = io.BufferedReader(cast("io.RawIOBase", stream))
    # Without this the stream would be closed with its buffer.
    stack.callback(buffered.detach)
    return buffered


def _buffered(raw: io.RawIOBase) -> io.BufferedReader:
    return io.BufferedReader(raw, _HEAD_BYTES)
