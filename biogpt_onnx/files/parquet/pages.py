"""The sizes that pages of a Parquet file claim, read before the library allocates memory for them.

Each column of a group of rows is a series of pages, each behind a header in Thrift's compact protocol. The library
allocates what a header claims, up to 2 GiB, whatever the file's size. Of the headers, this reads the two sizes:
https://github.com/apache/parquet-format, `PageHeader`; https://github.com/apache/thrift, `thrift-compact-protocol`.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

# Texts within a header, of which there may be a smallest and a largest, are passed over and do not count.
_MOST_HEADER_BYTES = 1 << 12
_MOST_DEPTH = 8

_UNPACKED_FIELD, _PACKED_FIELD = 2, 3
# Types of fields, as Thrift numbers them.
_STOP, _TRUE, _FALSE, _BYTE, _INT16, _INT32, _INT64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(13)
_FIXED_BYTES = {_BYTE: 1, _DOUBLE: 8}
_LONG_LIST = 15
_MORE = 128


class HeaderError(ValueError):
    """A header is not one, or lies outside of its column or of the file."""


class PageSizes(NamedTuple):
    """What a header claims.

    Attributes:
        unpacked: Bytes of the page in memory.
        packed: Bytes of the page in the file, behind the header.
    """

    unpacked: int
    packed: int


def page_sizes(stream: BinaryIO, size: int, metadata: Any) -> Iterator[PageSizes]:  # noqa: ANN401 -- the library has no types
    """Yields the sizes of all pages of a file.

    Args:
        stream: The file.
        size: Its bytes.
        metadata: What the library has read of the file's end.

    Raises:
        HeaderError: A header cannot be read, or a page is not within the file.
    """
    left = size
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            if chunk.num_values <= 0:
                # The library reads none of its pages, and the offsets of an empty table lead nowhere.
                continue
            begin, dictionary = chunk.data_page_offset, chunk.dictionary_page_offset
            if dictionary is not None and 0 < dictionary < begin:
                begin = dictionary
            left -= chunk.total_compressed_size
            if begin < 0 or chunk.total_compressed_size < 0 or left < 0:
                raise HeaderError("its columns are not within the file")
            yield from _of_column(stream, size, begin, begin + chunk.total_compressed_size)


def _of_column(stream: BinaryIO, size: int, begin: int, end: int) -> Iterator[PageSizes]:
    while begin < end:
        stream.seek(begin)
        found = _Header(stream).sizes()
        begin = stream.tell() + found.packed
        if begin > size:
            raise HeaderError("a page ends behind the file")
        yield found


class _Header:
    """The header at a place of a file, which is read up to its end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = _MOST_HEADER_BYTES

    def sizes(self) -> PageSizes:
        found = {}
        for number, kind in self._fields():
            if number in {_UNPACKED_FIELD, _PACKED_FIELD} and kind == _INT32:
                found[number] = self._signed(32)
            else:
                self._skip(kind)
        sizes = PageSizes(found.get(_UNPACKED_FIELD, -1), found.get(_PACKED_FIELD, -1))
        if min(sizes) < 0:
            raise HeaderError("a header of a page has no sizes")
        return sizes

    def _fields(self) -> Iterator[tuple[int, int]]:
        """Yields the number and the type of each field, whose value must be read before the next is asked for."""
        number = 0
        while kind := (first := self._byte()) & 15:
            number = number + (first >> 4) if first >> 4 else self._signed(16)
            yield number, kind

    def _skip(self, kind: int, depth: int = 0) -> None:
        if depth > _MOST_DEPTH or kind > _STRUCT:
            raise HeaderError("a header of a page cannot be read")
        if kind == _BINARY:
            self._stream.seek(self._number(31), 1)
        elif kind in _FIXED_BYTES:
            for _ in range(_FIXED_BYTES[kind]):
                self._byte()
        elif kind in {_INT16, _INT32, _INT64}:
            self._number(64)
        elif kind == _STRUCT:
            for _, each in self._fields():
                self._skip(each, depth + 1)
        elif kind in {_LIST, _SET, _MAP}:
            self._skip_all(kind, depth + 1)

    def _skip_all(self, kind: int, depth: int) -> None:
        """Passes over the values of a list, a set or a map."""
        if kind == _MAP:
            count = self._number(31)
            both = self._byte() if count else 0
            kinds = [both >> 4, both & 15]
        else:
            first = self._byte()
            count = first >> 4 if first >> 4 < _LONG_LIST else self._number(31)
            kinds = [first & 15]
        for _ in range(count):
            for each in kinds:
                # Within a list, truth takes a byte; as a field of its own, it is in the field's type.
                self._skip(_BYTE if each in {_STOP, _TRUE, _FALSE} else each, depth)

    def _byte(self) -> int:
        self._left -= 1
        read = self._stream.read(1)
        if not read or self._left < 0:
            raise HeaderError("a header of a page has no end")
        return read[0]

    def _number(self, bits: int) -> int:
        """Reads a number without a sign: seven bits a byte, the lowest first, and one that says that more follow."""
        found = shift = 0
        while (byte := self._byte()) & _MORE and shift < bits:
            found |= (byte & ~_MORE) << shift
            shift += 7
        found |= (byte & ~_MORE) << shift
        if byte & _MORE or found >> bits:
            raise HeaderError("a number in a header of a page is too large")
        return found

    def _signed(self, bits: int) -> int:
        found = self._number(bits)
        # Numbers near zero are short, whatever their sign: 0, -1, 1, -2 are written as 0, 1, 2, 3.
        return (found >> 1) ^ -(found & 1)
