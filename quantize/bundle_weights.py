"""Weights of a float32 bundle, read one at a time from its file."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from biogpt_onnx.runtime.bundle import MODEL_FILE, WEIGHTS_FILE
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.system.names import problem_of_name

Values = npt.NDArray[np.float32]

ReadWeight = Callable[[str], Values]
"""Reads a weight by its name in the graph."""


def _link_followed(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    """Returns a weight in the file that its name leads to: bundles may lie in a cache, as links to files elsewhere.

    The name itself may not lead outside of the folder, since the graph may be anybody's.
    """
    if not isinstance(tensor, ir.ExternalTensor) or problem_of_name(str(tensor.location)):
        return tensor
    path = Path(tensor.path)
    if not path.is_symlink():
        return tensor
    path = path.resolve()
    return _unread(tensor, path.name, path.parent)


def _unread(tensor: ir.ExternalTensor, location: str | PathLike[str], folder: str | PathLike[str]) -> ir.ExternalTensor:
    return ir.ExternalTensor(
        location=location,
        offset=tensor.offset,
        length=tensor.length,
        dtype=tensor.dtype,
        shape=tensor.shape,
        name=str(tensor.name),
        base_dir=folder,
    )


class BundleWeights:
    """Weights of a bundle by name, mapped from the file one at a time, and only while they are used.

    Args:
        folder: float32 bundle.

    Raises:
        BundleError: the graph cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            graph = ir.load(folder / MODEL_FILE).graph
        except Exception as error:  # protobuf's errors have no other common base
            raise BundleError(f"{folder / MODEL_FILE} cannot be read ({error}): export the bundle again") from error
        self._tensors = {
            name: _link_followed(value.const_value)
            for name, value in graph.initializers.items()
            if value.const_value is not None
        }

    @property
    def data_folder(self) -> Path:
        """Folder in which the file of the weights lies, once links are followed."""
        return (self._folder / WEIGHTS_FILE).resolve().parent

    def tensor(self, name: str) -> ir.TensorProtocol:
        """Returns a weight as the bundle's graph refers to it, its file being in `data_folder`.

        Raises:
            BundleError: the graph has no weight of that name.
        """
        if name not in self._tensors:
            raise BundleError(f"{self._folder}: the graph has no weight {name}: export the bundle again")
        return self._tensors[name]

    def read(self, name: str) -> Values:
        """Maps the values of a weight; they take resident memory until the array is dropped.

        Raises:
            BundleError: the graph has no weight of that name, or its file does not hold it.
        """
        tensor = self.tensor(name)
        if isinstance(tensor, ir.ExternalTensor):
            # A tensor keeps its mapping, and with it the pages that were read: in the end all of the file.
            tensor = _unread(tensor, tensor.location, tensor.base_dir)
        try:
            return tensor.numpy()
        except (OSError, ValueError) as error:
            raise BundleError(
                f"{self._folder}: the weight {name} cannot be read ({error}): copy or export the bundle again"
            ) from error

    def check_finite(self) -> None:
        """Refuses weights that are not finite.

        Raises:
            BundleError: a weight holds NaN or infinity; names the first one.
        """
        for name in self._tensors:
            # The sum is not finite if one value is not, and takes no memory; in float64 it cannot overflow.
            if not np.isfinite(self.read(name).sum(dtype=np.float64)):
                raise BundleError(
                    f"{self._folder}: the weight {name} holds NaN or infinity: export a sound checkpoint instead"
                )
