"""Documents that are one JSON value together, an array or an object by their ids, read one at a time.

PubMedQA, and BC5CDR, KD-DTI and DDI in Microsoft's form, are such objects.
"""

import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from biogpt_onnx.files import rows
from biogpt_onnx.files.rows import RowError
from biogpt_onnx.files.text.fields import FieldRow
from biogpt_onnx.files.text.json_lines import json_object
from biogpt_onnx.runtime.errors import DocumentError

_CHUNK_BYTES = 1 << 16
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SPACE = b" \t\r\n"
# What can change the depth outside of a string, and what can end a string.
_OUTSIDE = re.compile(rb'["{}\[\],]')
_INSIDE = re.compile(rb'["\\]')


def read_json_documents(stream: io.BufferedReader, name: str) -> Iterator[FieldRow]:
    """Reads the rows of a JSON array of objects, or of a JSON object of objects, whose keys are their ids.

    One object is in memory at a time. Of two objects with the same key, both are read.

    Yields:
        The rows, each with its number; the key of an object is the field "id".

    Raises:
        DocumentError: The file is no such JSON, or ends in the middle.
    """
    for number, member in enumerate(_members(stream, name), start=1):
        try:
            yield FieldRow(number, member.fields())
        except RowError as error:
            yield FieldRow(number, {}, str(error))


def check_json_documents(stream: io.BufferedReader, name: str) -> None:
    """Reads a file to its end, to refuse one that is not whole before other work is done.

    Raises:
        DocumentError: The file is not whole; see `read_json_documents`.
    """
    deque(_members(stream, name), maxlen=0)


class _Member(NamedTuple):
    """An element of the array, or a key and a value of the object, as text."""

    text: bytes
    size: int
    has_key: bool

    def fields(self) -> dict[str, object]:
        if self.size > rows.MAX_ROW_BYTES:
            raise RowError(f"the document has more than {rows.MAX_ROW_BYTES:,} bytes: divide it")
        try:
            text = self.text.decode()
        except UnicodeDecodeError as error:
            raise RowError("it is not UTF-8: save the file as UTF-8") from error
        if not self.has_key:
            return json_object(text)
        found = json_object(f"{{{text}}}")
        if not found:
            raise RowError("nothing stands between two commas: mend it")
        ((key, value),) = found.items()
        if not isinstance(value, dict):
            raise RowError(f"the value of {key!r} is no object: give an object of plain fields")
        return value | {"id": key}


def _members(stream: io.BufferedReader, name: str) -> Iterator[_Member]:
    beginning = stream.read(_CHUNK_BYTES).removeprefix(_BYTE_ORDER_MARK)
    if beginning.startswith(_UTF_16_MARKS):
        raise DocumentError(f"{name} is UTF-16: save it as UTF-8")
    beginning = beginning.lstrip(_SPACE)
    while not beginning and (more := stream.read(_CHUNK_BYTES)):
        beginning = more.lstrip(_SPACE)
    if not beginning.startswith((b"{", b"[")):
        raise DocumentError(f"{name} is no JSON array and no JSON object: give another file or its right format")
    scanner = _Scanner(name, has_keys=beginning.startswith(b"{"))
    yield from scanner.scan(beginning[1:])
    while chunk := stream.read(_CHUNK_BYTES):
        yield from scanner.scan(chunk)
    if scanner.depth:
        raise DocumentError(f"{name} ends in the middle of its JSON: copy or download it again")


@dataclass
class _Scanner:
    """Divides the content of an array or an object at its own commas, without parsing what stands between them."""

    name: str
    has_keys: bool
    depth: int = 1
    is_string: bool = False
    is_escaped: bool = False
    size: int = 0

    def __post_init__(self) -> None:
        self._pieces: list[bytes] = []
        self._is_first = True

    def scan(self, chunk: bytes) -> Iterator[_Member]:
        start = place = 0
        if not self.depth:
            self._end(chunk)
            return
        if self.is_escaped:
            place, self.is_escaped = 1, False
        while found := (_INSIDE if self.is_string else _OUTSIDE).search(chunk, place):
            mark, place = found[0], found.end()
            if mark == b'"':
                self.is_string = not self.is_string
            elif mark == b"\\":
                # The character behind it ends no string; it may be in the next chunk.
                self.is_escaped = place == len(chunk)
                place += 1
            elif mark in b"{[":
                self.depth += 1
            elif mark in b"}]":
                self.depth -= 1
            if (mark == b"," and self.depth == 1) or not self.depth:
                self._keep(chunk[start : found.start()])
                yield from self._take(is_last=not self.depth)
                start = place
            if not self.depth:
                self._end(chunk[start:])
                return
        self._keep(chunk[start:])

    def _keep(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= rows.MAX_ROW_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def _take(self, *, is_last: bool) -> Iterator[_Member]:
        text = b"".join(self._pieces)
        # An empty array or object has no members.
        if not (is_last and self._is_first and not text.strip(_SPACE)):
            yield _Member(text, self.size, self.has_keys)
        self._pieces, self.size, self._is_first = [], 0, False

    def _end(self, rest: bytes) -> None:
        if rest.strip(_SPACE):
            raise DocumentError(
                f"{self.name} goes on behind the end of its JSON: give one value, or an object a line as JSON Lines"
            )
