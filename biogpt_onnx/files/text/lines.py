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


@dataclass(frozen=True)
class Line:
    """A line of a file.

    Attributes:
        number: The line's number, from 1.
        text: The line with its ending. Bytes that are not UTF-8 are surrogates in it; a line that is too long is empty.
        problem: The reason why the line cannot be read: it is not UTF-8, holds NUL or is too long; None for a good
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
    """Yields the lines of a stream, which end with LF, CR LF or CR; one line is in memory at a time.

    A byte order mark at the beginning of any line is taken off: files that were joined have one in the middle.

    Args:
        stream: The stream.
        name: The stream's name in errors.

    Raises:
        DocumentError: The stream is binary or UTF-16.
    """
    _refuse_binary(stream.peek(_LOOKED_AT)[:_LOOKED_AT], name)
    for number, data in enumerate(_divided(stream), start=1):
        if data is None:
            yield Line(number, "", f"the line has more than {rows.MAX_ROW_BYTES:,} bytes: divide the document")
        elif text := data.removeprefix(_BYTE_ORDER_MARK):
            yield _line(number, text)


def _divided(stream: io.BufferedReader) -> Iterator[bytes | None]:
    """Yields each line with its ending; None for one that is too long to be kept."""
    pieces: list[bytes] = []
    size = 0
    while chunk := stream.read1(_CHUNK_BYTES):
        # An LF behind a CR belongs to the same ending.
        while chunk.endswith(b"\r") and (following := stream.read(1)):
            chunk += following
        for piece in chunk.splitlines(keepends=True):
            size += len(piece)
            if size <= rows.MAX_ROW_BYTES:
                pieces.append(piece)
            else:
                pieces.clear()
            if piece.endswith((b"\n", b"\r")):
                yield b"".join(pieces) if size <= rows.MAX_ROW_BYTES else None
                pieces.clear()
                size = 0
    if size:
        yield b"".join(pieces) if size <= rows.MAX_ROW_BYTES else None


def _line(number: int, data: bytes) -> Line:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} of the line is not UTF-8: save the file as UTF-8"
        return Line(number, data.decode(errors="surrogateescape"), problem)
    if "\0" in text:
        return Line(number, text, f"character {text.index(chr(0)) + 1} of the line is NUL: take it out")
    return Line(number, text)


def _refuse_binary(beginning: bytes, name: str) -> None:
    if beginning.startswith(_UTF_16_MARKS):
        raise DocumentError(f"{name} is UTF-16: save it as UTF-8")
    # One NUL in a text is an error of its line, wherever it stands; UTF-16 without a mark has many.
    if beginning.count(0) > len(beginning) / 4 or (b"\0" in beginning and not _is_utf_8(beginning)):
        raise DocumentError(f"{name} is binary and holds no text: give a text file, unpacked if it is an archive")


def _is_utf_8(beginning: bytes) -> bool:
    try:
        beginning.decode()
    except UnicodeDecodeError as error:
        # The last character may be cut.
        return error.start >= len(beginning) - 3 and error.reason == "unexpected end of data"
    return True


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
