"""The weights of a float32 bundle, read one at a time from its file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from biogpt_onnx.runtime.bundle import MODEL_FILE
from biogpt_onnx.runtime.errors import BundleError

Values = npt.NDArray[np.float32]

ReadWeight = Callable[[str], Values]
"""A weight by its name in the graph."""


class BundleWeights:
    """Weights by name, mapped from the file: nothing is held that the system could not read again.

    Args:
        folder: a float32 bundle.

    Raises:
        BundleError: the graph cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            graph = ir.load(folder / MODEL_FILE).graph
        except Exception as error:  # protobuf's errors have no common base but this
            raise BundleError(f"{folder / MODEL_FILE} cannot be read ({error}): export the bundle again") from error
        self._tensors = {
            name: value.const_value for name, value in graph.initializers.items() if value.const_value is not None
        }

    def tensor(self, name: str) -> ir.TensorProtocol:
        """A weight as the bundle's graph has it.

        Raises:
            BundleError: there is none of that name.
        """
        if name not in self._tensors:
            raise BundleError(f"{self._folder}: the graph has no weight {name}: export the bundle again")
        return self._tensors[name]

    def read(self, name: str) -> Values:
        """The values of a weight; see `tensor`."""
        return self.tensor(name).numpy()

    def check_finite(self) -> None:
        """Refuses weights that no quantization can keep.

        Raises:
            BundleError: names the first weight with an infinity or what is not a number.
        """
        for name, tensor in self._tensors.items():
            # The sum is not finite if one value is not, and takes no memory; float64, as it must not overflow.
            if not np.isfinite(tensor.numpy().sum(dtype=np.float64)):
                raise BundleError(
                    f"{self._folder}: the weight {name} holds NaN or infinity: export a sound checkpoint instead"
                )
