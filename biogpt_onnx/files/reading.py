"""Documents out of a file or a stream, whatever its format."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

from biogpt_onnx.files.bioc_json import read_bioc_json
from biogpt_onnx.files.bioc_xml import check_bioc_xml, read_bioc_xml
from biogpt_onnx.files.columns import Columns
from biogpt_onnx.files.formats import FORMATS, STANDARD_INPUT, Format, format_of
from biogpt_onnx.files.item import Item
from biogpt_onnx.files.json_lines import read_json_lines
from biogpt_onnx.files.pubtator import read_pubtator
from biogpt_onnx.files.tables import read_csv, read_tsv
from biogpt_onnx.files.text_lines import read_text_lines
from biogpt_onnx.runtime.errors import DocumentError

_DEFAULT_COLUMNS = Columns()


def read_documents(
    source: str | Path | BinaryIO, file_format: Format | None = None, columns: Columns = _DEFAULT_COLUMNS
) -> Iterator[Item]:
    """The documents of a file, one after the other, as they are asked for.

    The first is read at once, so that a file that cannot be read is known before anything else is done. Only of BioC
    JSON is more than one document in memory.

    Args:
        source: a file; "-" for standard input; or a binary stream, which stays open.
        file_format: None for what the file's name says; standard input and streams are then text.
        columns: the names of the fields of JSON lines and tables.

    Returns:
        An item a row; a bad one says what is wrong with it, and the next follows.

    Raises:
        DocumentError: there is no such file, or it is bad as a whole: binary, of another format, without a column. It
            may also be raised later, where a BioC stream turns out to be no XML.
    """
    if file_format is not None and file_format not in FORMATS:
        raise DocumentError(f"format is {file_format!r}: known are {', '.join(FORMATS)}")
    items = _items(source, file_format, columns)
    first = next(items, None)
    return items if first is None else chain((first,), items)


def _items(source: str | Path | BinaryIO, file_format: Format | None, columns: Columns) -> Iterator[Item]:
    if source == STANDARD_INPUT:
        source = sys.stdin.buffer
    name = str(source) if isinstance(source, str | Path) else "standard input"
    try:
        with ExitStack() as stack:
            if isinstance(source, str | Path):
                file_format = file_format or format_of(name)
                stream = stack.enter_context(Path(source).open("rb"))
                if file_format == "bioc" and stream.seekable():
                    # XML is bad as a whole; better to know before hours of work.
                    check_bioc_xml(stream, name)
                    stream.seek(0)
            else:
                stream = _buffered(source, stack)
            yield from _read(stream, name, file_format or "text", columns)
    except OSError as error:
        raise DocumentError(f"{name} cannot be read ({error.strerror or error}): name another file") from error


def _read(stream: io.BufferedReader, name: str, file_format: Format, columns: Columns) -> Iterator[Item]:
    readers: dict[Format, Callable[[], Iterator[Item]]] = {
        "text": lambda: read_text_lines(stream, name),
        "jsonl": lambda: read_json_lines(stream, name, columns),
        "csv": lambda: read_csv(stream, name, columns),
        "tsv": lambda: read_tsv(stream, name, columns),
        "pubtator": lambda: read_pubtator(stream, name),
        "bioc": lambda: read_bioc_xml(stream, name),
        "biocjson": lambda: read_bioc_json(stream, name),
    }
    return readers[file_format]()


def _buffered(stream: BinaryIO, stack: ExitStack) -> io.BufferedReader:
    if isinstance(stream, io.BufferedReader):
        return stream
    # All it needs of a stream is `readinto`, which every binary one has.
    buffered: io.BufferedReader = io.BufferedReader(cast("io.RawIOBase", stream))
    # Else the stream would be closed with its buffer.
    stack.callback(buffered.detach)
    return buffered
