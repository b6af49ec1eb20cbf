"""Files that appear complete or not at all, and of which the first one stays."""

import os
import secrets
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.runtime.system.files import (
    flush,
    flush_names,
    reason_of,
    refuses_hard_links,
    remove_file,
    replace_file,
)

UNFINISHED = ".unfinished-"
"""The beginning of the names of files that are being written."""


def publish(path: Path, lines: Iterable[str]) -> bool:
    """Writes a file beside its place, waits until it is on the disk, and gives it its name unless that is taken.

    Of any number of processes on any number of machines that publish one file, the first one's content stays. A file
    system without hard links is renamed on instead: two that publish within the same moment may both succeed then, and
    one content stays whole.

    Args:
        path: The file.
        lines: The lines of its text.

    Returns:
        True if the file is this one; False if another one was there first.

    Raises:
        DocumentError: The file cannot be written; nothing of it is left.
    """
    unfinished = path.with_name(f"{UNFINISHED}{owner()}-{secrets.token_hex(4)}-{path.name}")
    try:
        with unfinished.open("x", encoding="utf-8", newline="\n") as stream:
            stream.writelines(lines)
            stream.flush()
            flush(stream.fileno())
        is_first = _named(unfinished, path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        with suppress(OSError):
            remove_file(unfinished)
    flush_names(path.parent)
    return is_first


def not_written(path: Path, error: OSError) -> DocumentError:
    """Returns the error of a file of a run that could not be written, as on a full disk."""
    return DocumentError(
        f"{path} cannot be written ({reason_of(error)}): see to it and run the same again, what is done stays done"
    )


def owner() -> str:
    """Returns the host and the process, as names of files and claims have them."""
    return f"{host()}-{os.getpid()}"


def host() -> str:
    """Returns the name of this host, as names of files and claims have it."""
    return "".join(each if each.isalnum() or each in "._" else "_" for each in socket.gethostname()) or "host"


def _named(unfinished: Path, path: Path) -> bool:
    try:
        os.link(unfinished, path)
    except FileExistsError:
        # Network file systems may ask twice, and then find what the first question made.
        return unfinished.stat().st_nlink > 1
    except OSError as error:
        if not refuses_hard_links(error):
            raise
        if path.exists():
            return False
        replace_file(unfinished, path)
    return True
