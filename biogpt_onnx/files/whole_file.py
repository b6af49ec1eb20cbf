"""Writing of a text file that appears complete or not at all."""

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from biogpt_onnx.files.formats import COMPRESSED
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.runtime.system.files import flush, flush_names, reason_of, remove_file, replace_file
from biogpt_onnx.runtime.system.names import problem_of_output


def write_whole_file(output: Path, write: Callable[[TextIO], None], remedy: str) -> None:
    """Writes a file beside its place, waits until it is on the disk, and gives it its name.

    Args:
        output: The file; compressed if its name ends with `.gz`.
        write: Writes the content to a text stream.
        remedy: The end of the error, behind "FILE cannot be written (REASON): ".

    Raises:
        DocumentError: The file cannot be written; a file that was there before stays.
    """
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        # A run that was killed here may have left one.
        remove_file(unfinished)
        with unfinished.open("xb") as file:
            with text_stream(file, is_compressed=output.name.lower().endswith(COMPRESSED)) as stream:
                write(stream)
            flush(file.fileno())
        replace_file(unfinished, output)
    except OSError as error:
        raise DocumentError(f"{output} cannot be written ({reason_of(error)}): {remedy}") from error
    finally:
        with suppress(OSError):
            remove_file(unfinished)
    flush_names(output.parent)


@contextmanager
def text_stream(file: BinaryIO, *, is_compressed: bool) -> Iterator[TextIO]:
    """Opens a text stream over an open file, which stays open."""
    if is_compressed:
        # Without a name and a time, equal results give equal files.
        with (
            gzip.GzipFile(fileobj=file, filename="", mode="wb", mtime=0) as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as compressed,
        ):
            yield compressed
        return
    stream = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
    try:
        yield stream
    finally:
        stream.detach()


def check_output(output: Path, *, overwrite: bool) -> None:
    """Refuses an output that is no plain file, has no folder, or exists and may not be replaced.

    Raises:
        DocumentError: It is.
    """
    if problem := problem_of_output(output):
        raise DocumentError(f"{output} cannot be written, as {problem}: name another file")
    if not output.parent.is_dir():
        raise DocumentError(f"{output} cannot be written: there is no folder {output.parent}")
    if output.exists() and not output.is_file():
        raise DocumentError(f"{output} is no plain file: name another one, or leave it out for standard output")
    if output.exists() and not overwrite:
        raise DocumentError(f"{output} is there already: name another file, or say --overwrite")
