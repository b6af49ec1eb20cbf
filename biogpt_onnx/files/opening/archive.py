"""Archives: tar files, compressed by gzip or not, whose members are read one after the other and never unpacked."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, Self, cast

from biogpt_onnx.files.opening.source import NamedStream, open_source
from biogpt_onnx.runtime.errors import DocumentError

ENDINGS = (".tar", ".tar.gz", ".tgz")
"""The endings of the names of archives."""

_BLOCK_BYTES = 512
_BUFFER_BYTES = 1 << 16
# What a member's header may say of it in further blocks, such as a long name. They are read into memory.
_MOST_HEADER_BYTES = 1 << 20
_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


def is_archive(name: str) -> bool:
    """Returns True if a file's name says that it is an archive."""
    return name.lower().endswith(ENDINGS)


def members_of(path: Path) -> Iterator[NamedStream]:
    """Yields the plain files of an archive, in its order, each to be read before the next is asked for.

    Nothing is written to the disk, and one block of the archive is in memory at a time. Links, devices, folders and
    hidden files are left out.

    Args:
        path: The archive.

    Raises:
        DocumentError: The archive cannot be read, is damaged or truncated, or a member of it is sparse.
    """
    with open_source(path) as opened:
        header = _header_class()
        try:
            with tarfile.open(
                fileobj=cast("BinaryIO", opened.stream), mode="r|", tarinfo=header, errorlevel=2
            ) as archive:
                yield from _members(archive)
        except tarfile.TarError as error:
            raise DocumentError(f"{path} is a damaged tar archive ({error}): copy or download it again") from error
        if not header.is_ended:
            raise DocumentError(f"{path} ends in the middle of an archive, or is damaged: copy or download it again")
        opened.read_to_end()


def _members(archive: tarfile.TarFile) -> Iterator[NamedStream]:
    while (member := archive.next()) is not None:
        # The library keeps what it has read for archives that can be searched.
        cast("Any", archive).members = []
        if not member.isreg() or _is_hidden(member.name):
            continue
        if member.issparse():
            raise tarfile.ReadError(f"{member.name} is a sparse file")
        stream = archive.extractfile(member)
        if stream is not None:
            name = _readable(member.name)
            yield NamedStream(name, io.BufferedReader(_Content(stream, name), _BUFFER_BYTES))


class _Content(io.RawIOBase):
    """The content of a member, whose end may be missing."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name = stream, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # any writable buffer
        try:
            data = self._stream.read(len(buffer))
        except tarfile.TarError as error:
            raise DocumentError(f"{self._name} is not whole, as its archive is truncated: get that again") from error
        buffer[: len(data)] = data
        return len(data)


class _Header(tarfile.TarInfo):
    """The header of a member, which refuses further blocks that are too long for what they are there for.

    Attributes:
        is_ended: True once the block was seen that ends an archive. Without it, the library takes a truncated archive
            and one with a damaged header for one that ends there.
    """

    is_ended = False

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        if len(buf) == _BLOCK_BYTES and not any(buf):
            cls.is_ended = True
        found = super().frombuf(buf, encoding, errors)
        if found.type in _HEADERS and found.size > _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {found.size:,} bytes")
        return found


def _header_class() -> type[_Header]:
    """Returns a class for one archive, as the library makes the instances."""
    return type("_HeaderOfOne", (_Header,), {})


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts if part != ".")


def _readable(name: str) -> str:
    """Returns a member's name; bytes that are not UTF-8 become escapes."""
    return name.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="backslashreplace")
