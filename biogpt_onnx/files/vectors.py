"""Embeddings as a NumPy file."""

import math
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np

from biogpt_onnx.files.records import Record

SUFFIX = ".npy"
"""Ending of the names of NumPy files."""

_HEADER_BYTES = 128
_MAGIC = b"\x93NUMPY\x01\x00"
_LENGTH_BYTES = 2


class Vectors:
    """Embeddings as an array in NumPy's format `.npy`, float32 [rows, hidden]; see `WholeFile`.

    A row of the input without a result is a row of NaN, so that the array's rows are those of the input.

    Args:
        width: numbers of a vector.
    """

    needs_documents = False

    def __init__(self, width: int) -> None:
        self._width = width

    def write_all(self, records: Iterable[Record], stream: BinaryIO) -> None:
        """Writes the vectors of all records, one at a time."""
        stream.write(bytes(_HEADER_BYTES))  # its place, because the number of rows is known at the end
        num_rows = 0
        for record in records:
            vector = record.get("embedding") or [math.nan] * self._width
            stream.write(np.array(vector, dtype="<f4").tobytes())
            num_rows += 1
        stream.seek(0)
        stream.write(_header(num_rows, self._width))


def _header(num_rows: int, width: int) -> bytes:
    """Returns the header of version 1.0: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html."""
    fields = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({num_rows}, {width}), }}".encode()
    length = _HEADER_BYTES - len(_MAGIC) - _LENGTH_BYTES
    return _MAGIC + length.to_bytes(_LENGTH_BYTES, "little") + fields.ljust(length - 1) + b"\n"
