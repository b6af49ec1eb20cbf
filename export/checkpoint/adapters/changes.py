"""Changes that an adapter makes to single tensors, computed by rows in float32."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor

Values = npt.NDArray[np.float32]
Change = Callable[[CheckpointTensor], CheckpointTensor]


@dataclass(frozen=True)
class LowRank:
    """A matrix of low rank, scaling * left @ right, that is added to a weight [out, in].

    Attributes:
        left: rows of the matrix's left factor [out, rank].
        right: right factor [rank, in].
        scaling: factor of the product.
        magnitude: DoRA's lengths [out] that the sum's rows get; None without DoRA.
    """

    left: Values
    right: Values
    scaling: float
    magnitude: Values | None = None

    def __call__(self, tensor: CheckpointTensor) -> CheckpointTensor:
        """Returns the tensor with the matrix added."""
        return replace(tensor, stored_dtype="float32", rows=partial(self._rows, tensor))

    def _rows(self, tensor: CheckpointTensor, start: int, stop: int) -> Values:
        added = (self.left[start:stop] @ self.right) * np.float32(self.scaling)
        rows: Values = tensor.read_rows(start, stop) + added
        if self.magnitude is not None:
            rows *= (self.magnitude[start:stop] / np.linalg.norm(rows, axis=1))[:, None]
        return rows


@dataclass(frozen=True)
class AddedVector:
    """A vector [size] that is added, times a factor, to a bias."""

    values: Values
    scaling: float

    def __call__(self, tensor: CheckpointTensor) -> CheckpointTensor:
        """Returns the tensor with the vector added."""
        return replace(tensor, stored_dtype="float32", rows=partial(self._rows, tensor))

    def _rows(self, tensor: CheckpointTensor, start: int, stop: int) -> Values:
        return tensor.read_rows(start, stop) + self.values[start:stop] * np.float32(self.scaling)


@dataclass(frozen=True)
class ReplacedRows:
    """Rows of a table that get other values.

    Attributes:
        numbers: numbers of the rows.
        values: their values [rows, hidden].
    """

    numbers: tuple[int, ...]
    values: Values

    def __call__(self, tensor: CheckpointTensor) -> CheckpointTensor:
        """Returns the tensor with the rows replaced."""
        return replace(tensor, stored_dtype="float32", rows=partial(self._rows, tensor))

    def _rows(self, tensor: CheckpointTensor, start: int, stop: int) -> Values:
        rows = tensor.read_rows(start, stop).copy()
        for place, number in enumerate(self.numbers):
            if start <= number < stop:
                rows[number - start] = self.values[place]
        return rows
