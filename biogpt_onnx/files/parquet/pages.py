"""The sizes that pages of a Parquet file claim, read before the library allocates memory for them.

Each column of a group of rows is a series of pages, each behind a header. The library allocates what a header claims,
up to 2 GiB, whatever the file's size. This reads the two sizes of each, and where the columns are, which the library
says too, but at some damaged files only by ending the process. See https://github.com/apache/parquet-format,
`src/main/thrift/parquet.thrift`, for the numbers of the fields.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from biogpt_onnx.files.opening.content import PARQUET
from biogpt_onnx.files.parquet.thrift import INT32, INT64, LIST, STRUCT, CompactReader, HeaderError

_LENGTH_BYTES = 4
# Most headers are short; some hold the smallest and the largest text of their page.
_HEADER_BYTES = (1 << 9, 1 << 16, 1 << 24)

_ROW_GROUPS, _COLUMNS, _COLUMN_METADATA = 4, 1, 3
_VALUES, _PACKED_COLUMN, _FIRST_PAGE, _DICTIONARY = 5, 7, 9, 11
_UNPACKED, _PACKED = 2, 3


class PageSizes(NamedTuple):
    """What a header claims.

    Attributes:
        unpacked: Bytes of the page in memory.
        packed: Bytes of the page in the file, behind the header.
    """

    unpacked: int
    packed: int


def page_sizes(stream: BinaryIO) -> Iterator[PageSizes]:
    """Yields the sizes of all pages of a file that ends as Parquet does.

    Args:
        stream: The file.

    Raises:
        HeaderError: A header cannot be read, or a page is not within the file.
    """
    size = stream.seek(0, 2)
    end = _LENGTH_BYTES + len(PARQUET)
    stream.seek(size - end)
    length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
    if length > size - end:
        raise HeaderError("its columns are described by more than there is")
    stream.seek(size - end - length)
    left = size
    for column in _columns(CompactReader(stream.read(length))):
        if column.get(_VALUES, 0) <= 0:
            # The library reads none of its pages, and the offsets of an empty table lead nowhere.
            continue
        begin, dictionary, packed = (column.get(name, 0) for name in (_FIRST_PAGE, _DICTIONARY, _PACKED_COLUMN))
        if 0 < dictionary < begin:
            begin = dictionary
        left -= packed
        if min(begin, packed, left) < 0:
            raise HeaderError("its columns are not within the file")
        yield from _of_column(stream, size, begin, begin + packed)


def _columns(footer: CompactReader) -> Iterator[dict[int, int]]:
    """Yields some numbers of each column of each group of rows, by those of their fields."""
    for number, kind in footer.fields():
        if number != _ROW_GROUPS or kind != LIST:
            footer.skip(kind)
            continue
        for _ in range(footer.count()):
            for number_in_group, kind_in_group in footer.fields():
                if number_in_group != _COLUMNS or kind_in_group != LIST:
                    footer.skip(kind_in_group)
                    continue
                for _ in range(footer.count()):
                    yield _column(footer)


def _column(footer: CompactReader) -> dict[int, int]:
    found: dict[int, int] = {}
    for number, kind in footer.fields():
        if number == _COLUMN_METADATA and kind == STRUCT:
            found = _numbers(footer, INT64)
        else:
            footer.skip(kind)
    return found


def _numbers(reader: CompactReader, wanted: int) -> dict[int, int]:
    """Returns the integers of one type in a struct, by the numbers of their fields."""
    found = {}
    for number, kind in reader.fields():
        if kind == wanted:
            found[number] = reader.integer(64 if wanted == INT64 else 32)
        else:
            reader.skip(kind)
    return found


def _of_column(stream: BinaryIO, size: int, begin: int, end: int) -> Iterator[PageSizes]:
    while begin < end:
        header, numbers = _header(stream, begin)
        sizes = PageSizes(numbers.get(_UNPACKED, -1), numbers.get(_PACKED, -1))
        if min(sizes) < 0:
            raise HeaderError("a header of a page has no sizes")
        begin += header + sizes.packed
        if begin > size:
            raise HeaderError("a page ends behind the file")
        yield sizes


def _header(stream: BinaryIO, begin: int) -> tuple[int, dict[int, int]]:
    """Returns the length and the numbers of a page's header."""
    for most in _HEADER_BYTES:
        stream.seek(begin)
        data = stream.read(most)
        reader = CompactReader(data)
        try:
            numbers = _numbers(reader, INT32)
        except HeaderError:
            if len(data) < most:
                raise
        else:
            return reader.place, numbers
    raise HeaderError("a header of a page has no end")
