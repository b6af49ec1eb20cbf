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

_BUFFER_BYTES = 1 << 16
# What a header may take with all that it says of its member, such as a long name. It is read into memory.
_MOST_HEADER_BYTES = 1 << 20


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
        stream = _Stream(cast("BinaryIO", opened.stream))
        header = _header_class(stream)
        try:
            with tarfile.open(fileobj=cast("BinaryIO", stream), mode="r|", tarinfo=header, errorlevel=2) as archive:
                yield from _members(archive)
        except RecursionError as error:
            raise DocumentError(
                f"{path} is a damaged tar archive (headers without a member): copy or download it again"
            ) from error
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


class _Stream:
    """The bytes of an archive, which end with an error while a header takes more than there is room for.

    So they do when more is asked for behind their end: the library passes over a member in as many reads as its header
    says that it is long, which can take years, and does not look whether they return anything.

    Attributes:
        room: bytes that may still be read for a header; None between headers.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.room: int | None = None
        self._stream = stream
        self._is_at_end = False

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if not data and self._is_at_end:
            raise tarfile.ReadError("it ends before a member does")
        self._is_at_end = not data
        if self.room is not None:
            self.room -= len(data)
            if self.room < 0:
                raise tarfile.ReadError(f"a header of more than {_MOST_HEADER_BYTES:,} bytes")
        return data


class _Header(tarfile.TarInfo):
    """The header of a member, which is read into memory as far as there is room for it.

    Versions of the library differ in how they read a header, so that only the reading of a whole one is replaced.

    Attributes:
        is_ended: True once the block was seen that ends an archive. Without it, the library takes a truncated archive
            and one with a damaged header for one that ends there.
        stream: what the archive is read from.
    """

    is_ended = False
    stream: _Stream

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile, /) -> Self:
        if cls.stream.room is not None:
            # The header of the member behind a long name, for instance, has a part of the room.
            return super().fromtarfile(archive)
        cls.stream.room = _MOST_HEADER_BYTES
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # every version has it, unlike the types
            cls.is_ended = True
            raise
        except DocumentError:
            raise
        except (LookupError, ValueError, ArithmeticError) as error:
            # The library leaves to Python what some damaged fields lead to.
            raise tarfile.ReadError(f"a header that cannot be read: {error}") from error
        finally:
            cls.stream.room = None


def _header_class(stream: _Stream) -> type[_Header]:
    """Returns a class for one archive, as the library makes the instances."""
    return type("_HeaderOfOne", (_Header,), {"stream": stream})


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(name).parts if part != ".")


def _readable(name: str) -> str:
    """Returns a member's name; bytes that are not UTF-8 become escapes."""
    return name.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="backslashreplace")
