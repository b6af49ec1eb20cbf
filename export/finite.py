"""Check that a checkpoint's weights are numbers, made as they are read."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import printable
from biogpt_onnx.runtime.errors import CheckpointError

_MOST_NAMES = 4


class FiniteWeights:
    """A checkpoint's tensors, of which those that hold NaN or infinity are noted as they are read.

    Args:
        checkpoint: checkpoint to read.

    Attributes:
        tensors: tensors by canonical name.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._source = checkpoint.source
        self._bad: dict[str, None] = {}
        self.tensors: Mapping[str, _Watched] = {
            name: _Watched(name, tensor, self._bad) for name, tensor in checkpoint.tensors.items()
        }

    def read_all(self) -> None:
        """Reads every tensor, one at a time, and refuses those that are not finite; see `check`."""
        for tensor in self.tensors.values():
            tensor.read()
        self.check()

    def check(self) -> None:
        """Refuses weights that are not finite.

        Raises:
            CheckpointError: a tensor that was read holds NaN or infinity; names all of them.
        """
        if not self._bad:
            return
        shown = ", ".join(map(printable, list(self._bad)[:_MOST_NAMES]))
        more = f", … ({len(self._bad)} in all)" if len(self._bad) > _MOST_NAMES else ""
        raise CheckpointError(
            f"{self._source}: NaN or infinity in {shown}{more}: the training diverged, or the file is damaged: export "
            "an earlier checkpoint"
        )


@dataclass(frozen=True)
class _Watched:
    """A tensor that is noted in `bad` if it is read and holds NaN or infinity."""

    name: str
    tensor: CheckpointTensor
    bad: dict[str, None]

    def read(self) -> npt.NDArray[np.float32]:
        """Reads the values anew."""
        values = self.tensor.read()
        # The sum is not finite if one value is not, and takes no memory; in float64 it cannot overflow.
        if not np.isfinite(values.sum(dtype=np.float64)):
            self.bad[self.name] = None
        return values
