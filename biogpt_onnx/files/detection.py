"""Detection of formats by content, where the content says more than a file's name."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

from biogpt_onnx.files.bioc.json_reader import looks_like_bioc_json
from biogpt_onnx.files.bioc.xml_reader import looks_like_bioc_xml
from biogpt_onnx.files.formats import Format, format_of
from biogpt_onnx.files.pubtator.reader import looks_like_pubtator
from biogpt_onnx.runtime.errors import DocumentError

LOOKED_AT = 8192
"""The most bytes that are looked at."""

_LOOKS: tuple[tuple[Format, Callable[[bytes], bool]], ...] = (
    ("pubtator", looks_like_pubtator),
    ("bioc", looks_like_bioc_xml),
    ("biocjson", looks_like_bioc_json),
)


def format_of_content(beginning: bytes) -> Format | None:
    """Returns the format of annotated documents that a file which begins like this has; None for any other."""
    return next((name for name, looks_like in _LOOKS if looks_like(beginning[:LOOKED_AT])), None)


def format_of_standard_input() -> Format:
    """Returns the format of standard input by its content, from which nothing is taken; text if that does not say."""
    stream = sys.stdin.buffer
    beginning = stream.peek(LOOKED_AT) if isinstance(stream, io.BufferedReader) else b""
    return format_of_content(beginning) or "text"


def format_of_file(path: Path) -> Format:
    """Returns the format of a file by its content or, if that does not say, by the ending of its name.

    Raises:
        DocumentError: The file cannot be read, or neither says.
    """
    if path.exists() and not path.is_file():
        return format_of(str(path))  # What is read from a pipe is gone.
    try:
        with path.open("rb") as stream:
            return format_of_content(stream.read(LOOKED_AT)) or format_of(str(path))
    except OSError as error:
        raise DocumentError(f"{path} cannot be read ({error.strerror or error}): name another file") from error
