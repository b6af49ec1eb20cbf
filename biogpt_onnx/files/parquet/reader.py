"""Reading the rows of a Parquet file, a few at a time, from files that need not be trusted."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from biogpt_onnx.files.opening.content import PARQUET
from biogpt_onnx.files.opening.gunzip import ALWAYS_UNPACKED, MOST_TIMES
from biogpt_onnx.files.parquet.library import PyArrow, import_pyarrow
from biogpt_onnx.files.parquet.pages import page_sizes
from biogpt_onnx.files.parquet.thrift import HeaderError
from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.files.text.fields import FieldRow
from biogpt_onnx.files.text.tables import check_header
from biogpt_onnx.runtime.errors import DocumentError

_BATCH_ROWS = 64
_BUFFER_BYTES = 1 << 20
# The description of the columns, at the end of the file, is read into memory.
_MOST_FOOTER_BYTES = 64 * 1024 * 1024
_LENGTH_BYTES = 4
_SAID_LENGTH = 200
_LISTS = ("list", "large_list")


def read_parquet(path: Path, columns: Columns, *, with_all: bool = False) -> Iterator[FieldRow]:
    """Reads the rows of a Parquet file; some rows, and at most a page of each column, are in memory at a time.

    Args:
        path: The file.
        columns: The names of the fields, in lower case; only those are read.
        with_all: True to read all columns whose values JSON could hold: no dates, for instance.

    Yields:
        The rows, with their numbers from 1. A field has the name of its column in lower case and the column's number,
        from 1.

    Raises:
        DocumentError: The file is damaged, lacks a column or has one of another type; or the library pyarrow is not
            installed.
    """
    pyarrow = import_pyarrow()
    with _opened(pyarrow, path) as file:
        header = [name.strip().lower() for name in file.schema_arrow.names]
        numbers = [str(number) for number in range(1, len(header) + 1)]
        check_header(header, path.name, columns, "give another")
        used = {*columns.used({*header, *numbers}), *((columns.entities,) if columns.entities else ())}
        kinds, types = file.schema_arrow.types, pyarrow.arrow.types
        chosen = [
            place
            for place, name in enumerate(header)
            if name in used or numbers[place] in used or (with_all and _may_be_json(types, kinds[place]))
        ]
        _check_types(pyarrow, path, file.schema_arrow, columns, header)
        names = [file.schema_arrow.names[place] for place in chosen]
        line = 0
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=names, use_threads=False):
            # The library gives the columns in the file's order, and those whose names begin with an asked one.
            parts = [batch.column(name) for name in names]
            for place in range(batch.num_rows):
                line += 1
                yield _row(pyarrow, line, [part[place] for part in parts], chosen, header)


def check_parquet(path: Path, columns: Columns, *, with_all: bool = False) -> None:
    """Reads a file to its end, to refuse one that is damaged before other work is done.

    Raises:
        DocumentError: The file cannot be read; see `read_parquet`.
    """
    deque(read_parquet(path, columns, with_all=with_all), maxlen=0)


@contextmanager
def _opened(pyarrow: PyArrow, path: Path) -> Iterator[Any]:
    _check_footer(path)
    try:
        with pyarrow.parquet.ParquetFile(
            path,
            memory_map=False,
            pre_buffer=False,
            buffer_size=_BUFFER_BYTES,
            page_checksum_verification=True,
        ) as file:
            _check_sizes(path, file.metadata)
            yield file
    except (pyarrow.arrow.ArrowException, HeaderError, UnicodeError, OSError) as error:
        # The library decodes the names of the columns by itself.
        raise DocumentError(f"{path} is a damaged Parquet file ({_short(error)}): copy or download it again") from error


def _check_footer(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            end = _LENGTH_BYTES + len(PARQUET)
            stream.seek(max(0, size - end))
            footer = stream.read(end)
    except OSError as error:
        raise DocumentError(f"{path} cannot be read ({error.strerror or error}): name another file") from error
    if not footer.endswith(PARQUET):
        raise DocumentError(f"{path} is no whole Parquet file, as its end is missing: copy or download it again")
    length = int.from_bytes(footer[:_LENGTH_BYTES], "little")
    if length > min(size, _MOST_FOOTER_BYTES):
        raise DocumentError(f"{path} describes its columns in {length:,} bytes, which is no Parquet file: give another")


def _check_sizes(path: Path, metadata: Any) -> None:  # noqa: ANN401 -- the library has no types
    """Refuses a file that would unpack to far more than tables of texts do."""
    packed = path.stat().st_size
    unpacked = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    with path.open("rb") as stream:
        # The sizes of the groups are not those by which the library reads.
        is_large = any(page.unpacked > _most_unpacked(page.packed) for page in page_sizes(stream))
    if is_large or max(unpacked, metadata.num_rows) > _most_unpacked(packed):
        raise DocumentError(
            f"{path} unpacks to more than {MOST_TIMES} times its size, as no table of texts does: write it anew, "
            "if you trust it"
        )


def _most_unpacked(packed: int) -> int:
    return max(ALWAYS_UNPACKED, MOST_TIMES * packed)


def _check_types(pyarrow: PyArrow, path: Path, schema: Any, columns: Columns, header: Sequence[str]) -> None:  # noqa: ANN401 -- the library has no types
    """Refuses columns that hold no text, of which every row would be an error."""
    numbers = [str(number) for number in range(1, len(header) + 1)]
    for name in columns.used({*header, *numbers}):
        place = header.index(name) if name in header else int(name) - 1
        kind = schema.types[place]
        if not _may_be_text(pyarrow.arrow.types, kind):
            raise DocumentError(
                f"{path} has a column {name} of type {kind}: write it as strings (ids may be whole numbers)"
            )


def _may_be_text(types: Any, kind: Any) -> bool:  # noqa: ANN401 -- the library has no types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return _is_one_of(types, kind, "string", "large_string", "string_view", "integer", "null", *_LISTS, "struct")


def _may_be_json(types: Any, kind: Any) -> bool:  # noqa: ANN401 -- the library has no types
    """Returns True if values are what JSON has. Others, such as dates, Python cannot always hold."""
    if types.is_dictionary(kind) or _is_one_of(types, kind, *_LISTS):
        return _may_be_json(types, kind.value_type)
    if types.is_struct(kind):
        return all(_may_be_json(types, kind.field(place).type) for place in range(kind.num_fields))
    return _may_be_text(types, kind) or _is_one_of(types, kind, "boolean", "floating")


def _is_one_of(types: Any, kind: Any, *names: str) -> bool:  # noqa: ANN401 -- the library has no types
    return any(getattr(types, f"is_{name}")(kind) for name in names if hasattr(types, f"is_{name}"))


def _row(pyarrow: PyArrow, line: int, values: Sequence[Any], chosen: Sequence[int], header: Sequence[str]) -> FieldRow:
    try:
        plain = [value.as_py() for value in values]
    except UnicodeDecodeError:
        return FieldRow(line, {}, "a text of the row is not UTF-8: write it anew")
    except (ValueError, OverflowError, pyarrow.arrow.ArrowException) as error:
        return FieldRow(line, {}, f"a value of the row cannot be read ({_short(error)}): write it anew")
    by_number: Mapping[str, object] = {str(place + 1): value for place, value in zip(chosen, plain, strict=True)}
    # A name counts more than a number.
    return FieldRow(line, {**by_number, **{header[place]: value for place, value in zip(chosen, plain, strict=True)}})


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:_SAID_LENGTH]
