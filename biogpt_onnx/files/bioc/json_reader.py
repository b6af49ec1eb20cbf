"""Reading BioC JSON: collections, lists of documents or of collections, and documents or collections a line."""

import io
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

from biogpt_onnx.files import rows
from biogpt_onnx.files.bioc.documents import row_of
from biogpt_onnx.files.bioc.json_stream import JsonError, JsonStream, TooLarge
from biogpt_onnx.files.rows import Row, RowError
from biogpt_onnx.files.text.lines import lines_of
from biogpt_onnx.runtime.errors import DocumentError

# The names of the list of documents; the second is that of PubTator 3.
_LISTS = ("documents", "PubTator3")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COLLECTION = re.compile(rb'(?<!\\)"(?:documents|PubTator3)"\s*:\s*\[\s*[]{]')
_PASSAGES = re.compile(rb'(?<!\\)"passages"\s*:\s*\[')
_OFFSET = re.compile(rb'(?<!\\)"offset"\s*:')


def looks_like_bioc_json(beginning: bytes) -> bool:
    """Returns True if a file that begins like this is BioC JSON: a list of documents, or of passages with offsets."""
    if beginning.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] not in {b"{", b"["}:
        return False
    collection = _COLLECTION.search(beginning)
    if collection is not None and collection.group().endswith(b"]"):
        return True
    has_passages = _PASSAGES.search(beginning) is not None
    return has_passages and (collection is not None or _OFFSET.search(beginning) is not None)


def read_bioc_json(stream: io.BufferedReader, name: str) -> Iterator[Row]:
    """Reads the documents of a BioC JSON file; one document is in memory at a time.

    In a file with a document or a collection a line, a bad line is one bad row.

    Raises:
        DocumentError: The file is no JSON or no BioC.
    """
    numbers = count(1)
    for found in _values(stream, name):
        number = next(numbers)
        try:
            yield row_of(number, _checked(found))
        except RowError as error:
            yield Row(number, None, str(error))


def check_bioc_json(stream: io.BufferedReader, name: str) -> None:
    """Reads a file to its end, to refuse one that cannot be read before other work is done.

    Raises:
        DocumentError: The file cannot be read; see `read_bioc_json`.
    """
    deque(_values(stream, name), maxlen=0)


def _checked(found: object) -> object:
    if isinstance(found, RowError):
        raise found
    if isinstance(found, TooLarge):
        raise RowError(f"the document takes more than {rows.MAX_ROW_BYTES:,} characters of JSON: divide it")
    return found


def _values(stream: io.BufferedReader, name: str) -> Iterator[object]:
    """Yields each document as JSON data; `TooLarge` or an error in the place of a bad one."""
    head = _Head(stream)
    if head.is_by_line:
        yield from _values_by_line(head.whole, name)
        return
    reader = JsonStream(head.whole)
    try:
        yield from _values_of(reader)
        while reader.peek():
            yield from _values_of(reader)
    except JsonError as error:
        raise DocumentError(f"{name} is no JSON ({error}): mend it") from error
    except RowError as error:
        raise DocumentError(f"{name} is JSON, but {error}") from error


def _values_by_line(stream: io.BufferedReader, name: str) -> Iterator[object]:
    for line in lines_of(stream, name):
        if line.problem is not None:
            yield RowError(line.problem)
        elif line.content.strip():
            try:
                yield from _values_of(JsonStream(io.BytesIO(line.content.encode())), is_whole=True)
            except JsonError as error:
                yield RowError(f"it is no JSON ({error}): mend it")
            except RowError as error:
                yield RowError(f"it is JSON, but {error}")


def _values_of(reader: JsonStream, *, is_whole: bool = False) -> Iterator[object]:
    """Yields the documents of the next value.

    Args:
        reader: The reader.
        is_whole: Nothing may stand behind the value.
    """
    if reader.peek() == "[":
        for _ in reader.elements():
            yield from _documents(reader)
    else:
        yield from _documents(reader)
    if is_whole and reader.peek():
        raise JsonError("something stands behind the end")


def _documents(reader: JsonStream) -> Iterator[object]:
    """Yields the documents of a collection, or the one document that the next value is."""
    fields: dict[str, object] = {}
    is_collection = False
    if reader.peek() != "{":
        reader.value()  # An error in the value is the first to be named.
        raise RowError("no BioC: give a collection with a list of documents")
    for key in reader.members():
        if key in _LISTS and reader.peek() == "[":
            is_collection = True
            for _ in reader.elements():
                yield reader.value()
        else:
            fields[key] = reader.value()
    if "passages" in fields:
        too_large = [value for value in fields.values() if isinstance(value, TooLarge)]
        yield too_large[0] if too_large else fields
    elif not is_collection:
        raise RowError("no BioC: give a collection with a list of documents")


class _Head:
    """The beginning of a file, which tells if its lines are values by themselves.

    Attributes:
        is_by_line: True if they are: the first line is, or it is damaged and the second line is.
        whole: The stream from its beginning.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        read: list[bytes] = []
        first, second = (self._line(stream, read) for _ in range(2))
        if not second or max(len(first), len(second)) > rows.MAX_ROW_BYTES:
            self.is_by_line = False
        elif _is_value(first):
            self.is_by_line = True
        else:
            # An element of a list may be on a line of its own too.
            is_in_list = first.rstrip().endswith((b"[", b","))
            self.is_by_line = not is_in_list and looks_like_bioc_json(second) and _is_value(second)
        self.whole: io.BufferedReader = io.BufferedReader(_Joined(b"".join(read), stream))

    @staticmethod
    def _line(stream: io.BufferedReader, read: list[bytes]) -> bytes:
        """Reads the next line that is not blank."""
        while data := stream.readline(rows.MAX_ROW_BYTES + 1):
            read.append(data)
            if data.removeprefix(_BYTE_ORDER_MARK).strip():
                return data
        return b""


class _Joined(io.RawIOBase):
    """Some bytes, and the stream that they were read from."""

    def __init__(self, head: bytes, stream: io.BufferedReader) -> None:
        self._head = memoryview(head)
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # any writable buffer
        size = len(buffer)
        data = self._head[:size] if self._head else self._stream.read1(size)
        self._head = self._head[size:]
        buffer[: len(data)] = data
        return len(data)


def _is_value(line: bytes) -> bool:
    reader = JsonStream(io.BytesIO(line))
    with suppress(JsonError):
        reader.skip()
        return not reader.peek()
    return False
