"""JSON read value by value, so that a list of any length needs the memory of one element."""

import codecs
import io
import json
import re
from collections.abc import Iterator

from biogpt_onnx.files import rows

_CHUNK_BYTES = 1 << 16
_SPACE = re.compile(r"[ \t\r\n]*")
_LITERAL = re.compile(r"[^\s,\]}]*")
_MARK = re.compile(r'["{}\[\]]')
_MARK_IN_STRING = re.compile(r'["\\]')


class JsonError(Exception):
    """The text is no JSON; the message says why, as the end of an error "is no JSON (…)"."""


class TooLarge:
    """Stands for a value of more than `rows.MAX_ROW_BYTES` characters, which was read over."""


class JsonStream:
    """A reader of JSON text; each method reads on from where the one before ended.

    Args:
        stream: The text as UTF-8, with or without a byte order mark.

    Raises:
        JsonError: Each method raises it if the text is no JSON there, or no UTF-8.
    """

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._buffer = ""
        self._at = 0
        self._is_ended = False

    def peek(self) -> str:
        """Returns the next character that is no white space; empty at the end."""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._fill():
                return ""

    def value(self) -> object:
        """Returns the next value; an instance of `TooLarge` for one that is too large."""
        text = self._text_of_value()
        if text is None:
            return TooLarge()
        try:
            value: object = json.loads(text)
        except json.JSONDecodeError as error:
            raise JsonError(error.msg) from error
        except (ValueError, RecursionError) as error:
            raise JsonError(str(error)) from error
        return value

    def skip(self) -> None:
        """Reads over the next value, whose parts are not checked."""
        self._text_of_value()

    def elements(self) -> Iterator[None]:
        """Yields before each element of the next value, a list; who iterates reads the element."""
        yield from self._members("[", "]")

    def members(self) -> Iterator[str]:
        """Yields the name of each member of the next value, an object; who iterates reads the member's value."""
        for _ in self._members("{", "}"):
            name = self.value() if self.peek() == '"' else None
            if not isinstance(name, str):
                raise JsonError("a member of an object has no name")
            self._take(":")
            yield name

    def _members(self, opening: str, closing: str) -> Iterator[None]:
        self._take(opening)
        if self.peek() == closing:
            self._at += 1
            return
        while True:
            yield
            if self._take(f",{closing}") == closing:
                return

    def _take(self, allowed: str) -> str:
        character = self.peek()
        if not character or character not in allowed:
            raise JsonError(f"{' or '.join(map(repr, allowed))} is missing")
        self._at += 1
        return character

    def _text_of_value(self) -> str | None:
        """Reads a value's text; returns None for one that is too large."""
        first = self.peek()
        if not first:
            raise JsonError("it ends too early")
        size, is_too_large = self._size_of_literal() if first not in '"{[' else self._size_of_nested()
        text = self._buffer[self._at : self._at + size]
        self._at += size
        return None if is_too_large else text

    def _size_of_literal(self) -> tuple[int, bool]:
        while True:
            found = _LITERAL.match(self._buffer, self._at)
            end = found.end() if found else self._at
            if end < len(self._buffer) or self._is_too_large(end) or not self._fill():
                return len(self._buffer[self._at : end]), self._is_too_large(end)

    def _size_of_nested(self) -> tuple[int, bool]:
        """Returns the number of characters up to the value's end, without those that were dropped."""
        size, depth, is_in_string, is_too_large = 0, 0, False, False
        while True:
            found = (_MARK_IN_STRING if is_in_string else _MARK).search(self._buffer, self._at + size)
            if found is None:
                size = max(size, len(self._buffer) - self._at)
                if self._is_too_large(self._at + size):
                    is_too_large, size, self._at = True, size - len(self._buffer) + self._at, len(self._buffer)
                if not self._fill():
                    raise JsonError("it ends too early")
                continue
            size = found.end() - self._at
            if found.group() == "\\":
                size += 1  # the escaped character, whichever it is
                continue
            if found.group() == '"':
                is_in_string = not is_in_string
            else:
                depth += 1 if found.group() in "{[" else -1
            if depth == 0 and not is_in_string:
                return size, is_too_large or self._is_too_large(self._at + size)

    def _is_too_large(self, end: int) -> bool:
        return end - self._at > rows.MAX_ROW_BYTES

    def _fill(self) -> bool:
        """Reads more; returns False at the end."""
        if self._is_ended:
            return False
        kept = self._buffer[self._at :]
        # As much again as is there, so that a long value is not copied once for each chunk.
        data = self._stream.read1(max(_CHUNK_BYTES, len(kept)))
        self._is_ended = not data
        try:
            self._buffer, self._at = kept + self._decoder.decode(data, final=not data), 0
        except UnicodeDecodeError as error:
            raise JsonError("it is not UTF-8: save it as UTF-8") from error
        return bool(data)
