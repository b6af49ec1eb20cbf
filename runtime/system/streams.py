"""Standard streams and pipes as each system has them."""

import codecs
import errno
import io
from typing import IO

from biogpt_onnx.runtime.system import kind

STANDARD_OUTPUT_NAMES = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""Names of files that stand for standard output."""

_ESCAPES = "biogpt_onnx_escapes"


def write_as_utf8(stream: object) -> None:
    """Has a standard stream write UTF-8, with the line ends of every system, whatever the locale.

    Bytes of file names that are no text are written as they are, and other surrogates as escapes, so that nothing that
    is printed can fail.

    Args:
        stream: stream; one that is no stream of this process's own is left as it is.
    """
    if isinstance(stream, io.TextIOWrapper):
        codecs.register_error(_ESCAPES, _escape)
        stream.reconfigure(encoding="utf-8", errors=_ESCAPES, newline="\n")


def is_closed_by_reader(error: OSError, stream: IO[str] | None) -> bool:
    """Returns True if writing failed because the reader of a pipe has closed it.

    Windows says that an argument is invalid, which can have other causes: so the stream is tried once more.

    Args:
        error: error of writing.
        stream: stream that writes to the pipe.
    """
    if isinstance(error, BrokenPipeError):
        return True
    if not kind.is_windows() or error.errno != errno.EINVAL or error.filename is not None or stream is None:
        return False
    try:
        stream.flush()
    except OSError:
        return True
    return False


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)
