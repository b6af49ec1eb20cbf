"""One weight of a checkpoint: known by name and shape, read only when asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

FLOAT_DTYPES = ("float32", "float16", "bfloat16")
"""The stored types that a BioGPT's weights may have."""

# What one step of a read brings into memory beside the result.
_CHUNK_VALUES = 1024 * 1024

RowReader = Callable[[int, int], npt.NDArray[Any]]
"""Reads rows start to stop of a tensor, in whatever floating type they are stored in."""


@dataclass(frozen=True)
class CheckpointTensor:
    """A weight that stays in its file until it is read.

    Attributes:
        name: canonical once a checkpoint is open (see `names`), as stored before that.
        shape: as stored; a linear layer's weight is [outputs, inputs].
        stored_dtype: "float32", "float16" or "bfloat16" in an open checkpoint.
        rows: how the file's format reads a range of rows.
    """

    name: str
    shape: tuple[int, ...]
    stored_dtype: str
    rows: RowReader = field(repr=False, compare=False)

    def read(self) -> npt.NDArray[np.float32]:
        """Reads the tensor anew: C-contiguous float32 of `shape`, the caller's own copy.

        Peak memory is the result and a few megabytes.
        """
        values = np.empty(self.shape, dtype=np.float32)
        for start, stop in self.row_ranges():
            values[start:stop] = self.rows(start, stop)
        return values

    def read_rows(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Reads rows start to stop: C-contiguous float32 [stop - start, ...]."""
        return np.ascontiguousarray(self.rows(start, stop), dtype=np.float32)

    def row_ranges(self) -> list[tuple[int, int]]:
        """The (start, stop) of row ranges that are a few megabytes each and together are the tensor."""
        num_rows = self.shape[0]
        values_per_row = max(1, int(np.prod(self.shape[1:], dtype=np.int64)))
        step = max(1, _CHUNK_VALUES // values_per_row)
        return [(start, min(start + step, num_rows)) for start in range(0, num_rows, step)]
