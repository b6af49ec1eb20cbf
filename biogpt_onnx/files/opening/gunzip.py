"""Reading gzip as a stream, with a bound for what it may unpack to."""

import gzip
import io
import zlib
from typing import BinaryIO

from biogpt_onnx.runtime.errors import DocumentError

MAGIC = b"\x1f\x8b"
"""The first bytes of every gzip file."""

MOST_TIMES = 200
"""The most bytes that a compressed byte may unpack to. Text takes 3 to 10, PubMed's XML about 12; gzip can do 1,030."""

ALWAYS_UNPACKED = 64 * 1024 * 1024
"""So many bytes are unpacked whatever they were packed to: a short file may repeat one line."""


class Gunzip(io.RawIOBase):
    """The content of a gzip stream, of one member or several.

    What is unpacked is never in memory as a whole, so that a decompression bomb could only cost time; `MOST_TIMES` and
    `ALWAYS_UNPACKED` end that too.
    """

    def __init__(self, packed: BinaryIO, name: str) -> None:
        """Begins to read.

        Args:
            packed: The compressed stream, which stays open.
            name: The stream's name in errors.
        """
        self._counted = _Counted(packed)
        # The library reads what it is given by `read` alone.
        self._file = gzip.GzipFile(fileobj=self._counted, mode="rb")  # type: ignore[call-overload]
        self._name = name
        self._unpacked = 0

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Unpacks into a buffer.

        Raises:
            DocumentError: The stream is truncated or damaged, or unpacks to far more than text does.
        """
        try:
            data: bytes = self._file.read1(len(buffer))
        except EOFError as error:
            raise DocumentError(f"{self._name} is a truncated gzip file: copy or download it again") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DocumentError(f"{self._name} is a damaged gzip file ({error}): copy or download it again") from error
        self._unpacked += len(data)
        if self._unpacked > max(ALWAYS_UNPACKED, MOST_TIMES * self._counted.size):
            raise DocumentError(
                f"{self._name} unpacks to more than {MOST_TIMES} times its size, as no text does: unpack it yourself, "
                "if you trust it"
            )
        buffer[: len(data)] = data
        return len(data)


class _Counted:
    """A stream that counts the bytes that were read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.size += len(data)
        return data
