"""Reading documents from a file or a stream of any format."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

from biogpt_onnx.files.bioc.json_reader import check_bioc_json, read_bioc_json
from biogpt_onnx.files.bioc.xml_reader import check_bioc_xml, read_bioc_xml
from biogpt_onnx.files.detection import LOOKED_AT, format_of_content
from biogpt_onnx.files.formats import FORMATS, STANDARD_INPUT, Format, format_of
from biogpt_onnx.files.pubtator.reader import read_pubtator
from biogpt_onnx.files.rows import Row
from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.files.text.json_lines import read_json_lines
from biogpt_onnx.files.text.lines import read_text_lines
from biogpt_onnx.files.text.tables import read_csv, read_tsv
from biogpt_onnx.runtime.errors import DocumentError

_DEFAULT_COLUMNS = Columns()

# An error in XML or JSON is one of the whole file: it is found before hours of work.
_CHECKS: dict[Format, Callable[[io.BufferedReader, str], None]] = {"bioc": check_bioc_xml, "biocjson": check_bioc_json}


def read_documents(
    source: str | Path | BinaryIO, file_format: Format | None = None, columns: Columns = _DEFAULT_COLUMNS
) -> Iterator[Row]:
    """Reads the documents of a file one at a time, as the returned iterator is advanced.

    The first document is read at once, so that a file that cannot be read is refused before other work is done. One
    document is in memory at a time.

    Args:
        source: A file; "-" for standard input; or a binary stream, which stays open.
        file_format: The file's format; None for PubTator or BioC if the content is that, else for the format that the
            file's name stands for, and for text from standard input and streams.
        columns: The names of the fields of JSON lines and tables.

    Returns:
        The rows in order; a bad row holds its problem and does not end the iteration.

    Raises:
        DocumentError: There is no such file, or it is bad as a whole: binary, of another format, without a column. The
            iterator raises it too if a BioC stream is no XML or no JSON further on.
    """
    if file_format is not None and file_format not in FORMATS:
        raise DocumentError(f"format is {file_format!r}: known are {', '.join(FORMATS)}")
    rows = _rows(source, file_format, columns)
    first = next(rows, None)
    return rows if first is None else chain((first,), rows)


def _rows(source: str | Path | BinaryIO, file_format: Format | None, columns: Columns) -> Iterator[Row]:
    if source == STANDARD_INPUT:
        source = sys.stdin.buffer
    name = str(source) if isinstance(source, str | Path) else "standard input"
    try:
        with ExitStack() as stack:
            if isinstance(source, str | Path):
                stream = stack.enter_context(Path(source).open("rb"))
                file_format = file_format or format_of_content(stream.peek(LOOKED_AT)) or format_of(name)
                if file_format in _CHECKS and stream.seekable():
                    _CHECKS[file_format](stream, name)
                    stream.seek(0)
            else:
                stream = _buffered(source, stack)
                file_format = file_format or format_of_content(stream.peek(LOOKED_AT)) or "text"
            yield from _read(stream, name, file_format, columns)
    except OSError as error:
        raise DocumentError(f"{name} cannot be read ({error.strerror or error}): name another file") from error


def _read(stream: io.BufferedReader, name: str, file_format: Format, columns: Columns) -> Iterator[Row]:
    readers: dict[Format, Callable[[], Iterator[Row]]] = {
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
    # The buffer only calls `readinto`, which every binary stream has.
    buffered: io.BufferedReader = io.BufferedReader(cast("io.RawIOBase", stream))
    # Without this the stream would be closed with its buffer.
    stack.callback(buffered.detach)
    return buffered
