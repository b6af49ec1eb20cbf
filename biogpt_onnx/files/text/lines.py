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


@dataclass(frozen=True)
class Line:
    """A line of a file.

    Attributes:
        number: The line's number, from 1.
        text: The line with its ending. Bytes that are not UTF-8 are surrogates in it; a line that is too long is empty.
        problem: The reason why the line cannot be read: it is not UTF-8 or too long; None for a good line.
    """

    number: int
    text: str
    problem: str | None = None

    @property
    def content(self) -> str:
        """The line without its ending."""
        return self.text.removesuffix("\n").removesuffix("\r")


def lines_of(stream: io.BufferedReader, name: str) -> Iterator[Line]:
    """Yields the lines of a stream, without a byte order mark; one line is in memory at a time.

    Args:
        stream: The stream.
        name: The stream's name in errors.

    Raises:
        DocumentError: The stream is binary or UTF-16.
    """
    _refuse_binary(stream.peek(_LOOKED_AT)[:_LOOKED_AT], name)
    number = 0
    while data := stream.readline(rows.MAX_ROW_BYTES + 1):
        number += 1
        if number == 1:
            data = data.removeprefix(_BYTE_ORDER_MARK)
        if len(data) > rows.MAX_ROW_BYTES:
            _skip_rest(data, stream)
            yield Line(number, "", f"the line has more than {rows.MAX_ROW_BYTES:,} bytes: divide the document")
        elif data:
            yield _line(number, data)


def _line(number: int, data: bytes) -> Line:
    try:
        return Line(number, data.decode())
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} of the line is not UTF-8: save the file as UTF-8"
        return Line(number, data.decode(errors="surrogateescape"), problem)


def _skip_rest(data: bytes, stream: io.BufferedReader) -> None:
    while data and not data.endswith(b"\n"):
        data = stream.readline(_LOOKED_AT)


def _refuse_binary(beginning: bytes, name: str) -> None:
    if beginning.startswith(_UTF_16_MARKS):
        raise DocumentError(f"{name} is UTF-16: save it as UTF-8")
    if b"\0" in beginning:
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
