"""Lines of a file with their numbers and problems, and plain text, which has a document a line."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from biogpt_onnx.files import rows
from biogpt_onnx.files.rows import Row, RowError, checked_row
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT = 8192
_CHUNK_BYTES = 1 << 16

# A text may hold a NUL or two by mistake; a binary file is full of control characters.
_CONTROLS = bytes({*range(32)} - {*b"\t\n\v\f\r\x1b"})
_CONTROLS_OF_BINARY = 8
_CONTROL_SHARE_OF_BINARY = 0.02


@dataclass(frozen=True)
class Line:
    """A line of a file.

    Attributes:
        number: The line's number, from 1.
        text: The line with its ending. Bytes that are not UTF-8 are surrogates in it; a line that is too long is empty.
        problem: The reason why the line cannot be read: it is not UTF-8, holds a NUL or is too long; None for a good
            line.
    """

    number: int
    text: str
    problem: str | None = None

    @property
    def content(self) -> str:
        """The line without its ending."""
        return self.text.removesuffix("\n").removesuffix("\r")


def lines_of(stream: io.BufferedReader, name: str) -> Iterator[Line]:
    """Yields the lines of a stream; one line is in memory at a time.

    A line ends with a line feed, a carriage return or both. Byte order marks at the beginning of lines, where files
    that were joined have them, are left out.

    Args:
        stream: The stream.
        name: The stream's name in errors.

    Raises:
        DocumentError: The stream is binary or UTF-16.
    """
    _refuse_binary(stream.peek(_LOOKED_AT)[:_LOOKED_AT], name)
    for number, data in enumerate(_raw_lines(stream), start=1):
        if data is None:
            yield Line(number, "", f"the line has more than {rows.MAX_ROW_BYTES:,} bytes: divide the document")
        elif text := data.removeprefix(_BYTE_ORDER_MARK):
            yield _line(number, text)


def _raw_lines(stream: io.BufferedReader) -> Iterator[bytes | None]:
    """Yields the lines with their endings; None for one that is too long."""
    parts: list[bytes] = []
    size, held = 0, b""

    def whole(last: bytes) -> bytes | None:
        return None if size + len(last) > rows.MAX_ROW_BYTES else b"".join((*parts, last))

    while chunk := stream.read1(_CHUNK_BYTES):
        data = held + chunk
        # Only the next chunk tells if a line feed follows a carriage return at the end of this one.
        held = b"\r" if data.endswith(b"\r") else b""
        for line in data.removesuffix(held).splitlines(keepends=True):
            if line.endswith((b"\n", b"\r")):
                yield whole(line)
                parts, size = [], 0
            else:
                size += len(line)
                parts.append(line)
                if size > rows.MAX_ROW_BYTES:
                    parts.clear()
    if size + len(held):
        yield whole(held)


def _line(number: int, data: bytes) -> Line:
    problem = None if b"\0" not in data else f"byte {data.index(0) + 1} of the line is a NUL: remove it"
    try:
        return Line(number, data.decode(), problem)
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} of the line is not UTF-8: save the file as UTF-8"
        return Line(number, data.decode(errors="surrogateescape"), problem)


def _refuse_binary(beginning: bytes, name: str) -> None:
    if beginning.startswith(_UTF_16_MARKS):
        raise DocumentError(f"{name} is UTF-16: save it as UTF-8")
    num_controls = len(beginning) - len(beginning.translate(None, _CONTROLS))
    is_full_of_them = num_controls >= max(_CONTROLS_OF_BINARY, _CONTROL_SHARE_OF_BINARY * len(beginning))
    if b"\0" in beginning and is_full_of_them:
        raise DocumentError(f"{name} is binary and holds no text: give a text file, unpacked if it is an archive")


def rows_of_lines(stream: io.BufferedReader, name: str, document_of: Callable[[str], Document]) -> Iterator[Row]:
    """Yields a row for each line that is not blank.

    Args:
        stream: The stream.
        name: The stream's name in errors.
        document_of: Makes a document of a line's content, or raises `RowError`.

    Raises:
        DocumentError: The stream is no text.
    """
    for line in lines_of(stream, name):
        if line.problem is not None:
            yield Row(line.number, None, line.problem)
        elif line.content.strip():
            try:
                yield checked_row(line.number, document_of(line.content))
            except RowError as error:
                yield Row(line.number, None, str(error))


def read_text_lines(stream: io.BufferedReader, name: str) -> Iterator[Row]:
    """Reads the documents of a plain text file, one a line; blank lines are skipped.

    Raises:
        DocumentError: The file is no text.
    """
    return rows_of_lines(stream, name, Document)
