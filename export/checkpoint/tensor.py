"""Tensor of a checkpoint, known by name and shape and read only when its values are needed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

FLOAT_DTYPES = ("float32", "float16", "bfloat16")
"""Stored types that a BioGPT's weights may have."""

# Values that a read holds in memory at a time, beside the result.
_CHUNK_VALUES = 1024 * 1024

RowReader = Callable[[int, int], npt.NDArray[Any]]
"""Reads rows start to stop of a tensor, in the floating-point type that they are stored in."""


@dataclass(frozen=True)
class CheckpointTensor:
    """A weight that stays in its file until it is read.

    Attributes:
        name: canonical name (see `names`) in an open checkpoint, the stored name before that.
        shape: stored shape; a linear layer's weight is [out, in].
        stored_dtype: stored type; "float32", "float16" or "bfloat16" in an open checkpoint.
        rows: reader of a range of rows.
    """

    name: str
    shape: tuple[int, ...]
    stored_dtype: str
    rows: RowReader = field(repr=False, compare=False)

    def read(self) -> npt.NDArray[np.float32]:
        """Reads the tensor into a new array, C-contiguous float32 of `shape`.

        Peak memory is the result and a few megabytes.
        """
        values = np.empty(self.shape, dtype=np.float32)
        for start, stop in self.row_ranges():
            values[start:stop] = self.rows(start, stop)
        return values

    def read_rows(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Reads rows start to stop, C-contiguous float32 [stop - start, ...]."""
        return np.ascontiguousarray(self.rows(start, stop), dtype=np.float32)

    def row_ranges(self) -> list[tuple[int, int]]:
        """Returns (start, stop) of row ranges of a few megabytes each, which cover the tensor."""
        num_rows = self.shape[0]
        values_per_row = max(1, int(np.prod(self.shape[1:], dtype=np.int64)))
        step = max(1, _CHUNK_VALUES // values_per_row)
        return [(start, min(start + step, num_rows)) for start in range(0, num_rows, step)]
