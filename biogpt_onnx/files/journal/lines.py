"""A record as a line of the journal, with a checksum of all records up to it, by which damage shows."""

import zlib
from typing import NamedTuple

from biogpt_onnx.files.opening.content import json_object_of
from biogpt_onnx.files.records import Record
from biogpt_onnx.files.text.json_lines import json_line

NO_CHECKSUM = 0
"""The checksum before the first record."""

_BEGIN, _END = b'["%08x", ', b"]\n"
_BEGIN_BYTES = len(_BEGIN % 0)


class CheckedRecord(NamedTuple):
    """A record that was read.

    Attributes:
        record: The record.
        checksum: The checksum of all records up to it.
    """

    record: Record
    checksum: int


def encode(record: Record, checksum: int) -> tuple[bytes, int]:
    """Returns a record as a line, which is a JSON array of the checksum up to it and the record, and that checksum.

    Args:
        record: The record.
        checksum: The checksum of all records before.
    """
    content = json_line(record).encode().removesuffix(b"\n")
    through = zlib.crc32(content, checksum)
    return (_BEGIN % through) + content + _END, through


def decode(line: bytes, checksum: int) -> CheckedRecord | None:
    """Returns the record of a line; None if the line is damaged, or does not follow the records before.

    Args:
        line: The line, with its end.
        checksum: The checksum of all records before.
    """
    content = line[_BEGIN_BYTES:].removesuffix(_END)
    through = zlib.crc32(content, checksum)
    if line != (_BEGIN % through) + content + _END:
        return None
    record = json_object_of(content)
    return None if record is None else CheckedRecord(record, through)
