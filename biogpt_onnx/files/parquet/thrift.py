"""Thrift's compact protocol, as far as it takes to find numbers in Parquet's headers.

See https://github.com/apache/thrift, `doc/specs/thrift-compact-protocol.md`. What could be read in two ways is refused.
"""

from collections.abc import Iterator

STOP, TRUE, FALSE, BYTE, INT16, INT32, INT64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)
"""Types of fields, as the protocol numbers them."""

_MOST_DEPTH = 16
_BYTES = {BYTE: 1, DOUBLE: 8}
_LONG_LIST = 15
_MORE = 128


class HeaderError(ValueError):
    """A header is not one, or not within its file."""


class CompactReader:
    """Reads values one after the other.

    Args:
        data: The bytes, in which values must end.

    Attributes:
        place: Place of the next value.
    """

    def __init__(self, data: bytes) -> None:
        self.place = 0
        self._data = data

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yields number and type of each field of a struct; its value must be read before the next is asked for.

        Raises:
            HeaderError: The struct has no end.
        """
        number = 0
        while kind := (first := self._byte()) & 15:
            number = number + (first >> 4) if first >> 4 else self.integer(16)
            yield number, kind

    def count(self) -> int:
        """Reads the beginning of a list; returns how many values follow.

        Raises:
            HeaderError: There is none.
        """
        return self._list()[0]

    def integer(self, bits: int) -> int:
        """Reads an integer.

        Raises:
            HeaderError: It has more bits.
        """
        found = self._number(bits)
        # Numbers near zero are short, whatever their sign: 0, -1, 1, -2 are written as 0, 1, 2, 3.
        return (found >> 1) ^ -(found & 1)

    def skip(self, kind: int, depth: int = 0) -> None:
        """Passes over a value.

        Raises:
            HeaderError: It has no end, or it is of an unknown type.
        """
        if depth > _MOST_DEPTH or not STOP < kind <= STRUCT:
            raise HeaderError("a header cannot be read")
        if kind == BINARY:
            length = self._number(31)
            self.place += length
        elif kind in _BYTES:
            self.place += _BYTES[kind]
        elif kind in {INT16, INT32, INT64}:
            self._number(64)
        elif kind == STRUCT:
            for _, each in self.fields():
                self.skip(each, depth + 1)
        elif kind in {LIST, SET, MAP}:
            self._skip_all(kind, depth + 1)

    def _skip_all(self, kind: int, depth: int) -> None:
        if kind == MAP:
            count = self._number(31)
            both = self._byte() if count else 0
            kinds = [both >> 4, both & 15]
        else:
            count, of_each = self._list()
            kinds = [of_each]
        for _ in range(count):
            for each in kinds:
                # Within a list, truth takes a byte; as a field of its own, it is in the field's type.
                self.skip(BYTE if each in {TRUE, FALSE} else each, depth)
            if self.place > len(self._data):
                raise HeaderError("a header has no end")

    def _list(self) -> tuple[int, int]:
        first = self._byte()
        return (first >> 4 if first >> 4 < _LONG_LIST else self._number(31)), first & 15

    def _byte(self) -> int:
        if self.place >= len(self._data):
            raise HeaderError("a header has no end")
        self.place += 1
        return self._data[self.place - 1]

    def _number(self, bits: int) -> int:
        """Reads a number without a sign: seven bits a byte, the lowest first, and one that says that more follow."""
        found = shift = 0
        while (byte := self._byte()) & _MORE and shift < bits:
            found |= (byte & ~_MORE) << shift
            shift += 7
        found |= (byte & ~_MORE) << shift
        if byte & _MORE or found >> bits:
            raise HeaderError("a number in a header is too large")
        return found
