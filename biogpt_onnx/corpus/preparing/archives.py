"""Archives among the inputs: their members of a known format, one after the other."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from biogpt_onnx.files.formats import Format, format_of
from biogpt_onnx.files.opening.archive import members_of
from biogpt_onnx.files.opening.source import NamedStream
from biogpt_onnx.files.reading import detect_format
from biogpt_onnx.runtime.errors import DocumentError


class ArchiveMember(NamedTuple):
    """A member of an archive.

    Attributes:
        name: Its name in the archive.
        source: Its content, whose name in errors begins with that of the archive.
    """

    name: str
    source: NamedStream


@dataclass
class MemberCounts:
    """Numbers of members.

    Attributes:
        read: Number of members whose names stand for a format.
        skipped: Number of the others, which are not read.
    """

    read: int = 0
    skipped: int = 0


def documents_of_archive(path: Path, counts: MemberCounts) -> Generator[ArchiveMember, None, None]:
    """Yields the members of an archive whose names stand for a format, each to be read before the next is asked for.

    Args:
        path: The archive.
        counts: The numbers to add to.

    Raises:
        DocumentError: The archive is damaged, or has no such member.
    """
    before = counts.read
    for name, stream in members_of(path):
        if has_format(name):
            counts.read += 1
            yield ArchiveMember(name, NamedStream(f"{path}/{name}", stream))
        else:
            counts.skipped += 1
    if counts.read == before:
        raise DocumentError(f"the archive {path} holds no file of a known format: name another")


def format_of_archive(path: Path) -> Format:
    """Returns the format of the first member that has one by its name.

    Raises:
        DocumentError: There is none, or it cannot be read.
    """
    with closing(documents_of_archive(path, MemberCounts())) as members:
        return detect_format(next(members).source).format


def has_format(name: str) -> bool:
    """Returns True if a file's name stands for a format."""
    try:
        format_of(name)
    except DocumentError:
        return False
    return True
