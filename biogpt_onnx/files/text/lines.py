"""The lines of a file, each with its number and with what is wrong with it."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from biogpt_onnx.files import item
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT = 8192


@dataclass(frozen=True)
class Line:
    """A line of a file.

    Attributes:
        number: from 1.
        text: with its ending. Bytes that are not UTF-8 are surrogates in it, and a line that is too long is empty.
        problem: None where the line is UTF-8 and not too long.
    """

    number: int
    text: str
    problem: str | None = None

    @property
    def content(self) -> str:
        """The text without its ending."""
        return self.text.removesuffix("\n").removesuffix("\r")


def lines_of(stream: io.BufferedReader, name: str) -> Iterator[Line]:
    """The lines of a stream, without a byte order mark.

    Args:
        stream: of which no more than a line is in memory.
        name: what the user calls it.

    Raises:
        DocumentError: it holds no UTF-8 text at all.
    """
    _refuse_binary(stream.peek(_LOOKED_AT)[:_LOOKED_AT], name)
    number = 0
    while data := stream.readline(item.MAX_ROW_BYTES + 1):
        number += 1
        if number == 1:
            data = data.removeprefix(_BYTE_ORDER_MARK)
        if len(data) > item.MAX_ROW_BYTES:
            _skip_rest(data, stream)
            yield Line(number, "", f"the line has more than {item.MAX_ROW_BYTES:,} bytes: divide the document")
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


def items_of_lines(stream: io.BufferedReader, name: str, document_of: Callable[[str], Document]) -> Iterator[item.Item]:
    """An item for each line that is not blank.

    Args:
        stream: the file.
        name: what errors call it.
        document_of: makes a document of a line's content, or raises `RowError`.

    Raises:
        DocumentError: the file is no text.
    """
    for line in lines_of(stream, name):
        if line.problem is not None:
            yield item.Item(line.number, None, line.problem)
        elif line.content.strip():
            try:
                yield item.good_item(line.number, document_of(line.content))
            except item.RowError as error:
                yield item.Item(line.number, None, str(error))
