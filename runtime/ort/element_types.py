"""Element types of a graph and their storage in numpy, which has no bfloat16."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.ort.protocols import OnnxRuntime, OrtValue

_BFLOAT16 = 16
"""ONNX's number of the type, TensorProto.BFLOAT16."""


@dataclass(frozen=True)
class ElementType:
    """The type of a graph's activations, attention bias and cache.

    Attributes:
        name: name of the type in a bundle's manifest.
        storage: numpy's type of the same size, whose memory holds the values.
        onnx_type: number of the type in ONNX if `storage` is another type; None if they are the same.
    """

    name: str
    storage: np.dtype[Any]
    onnx_type: int | None = None

    def store(self, values: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Returns values rounded to this type; those beyond its range become infinite."""
        if self.onnx_type is None:
            with np.errstate(over="ignore"):
                return values.astype(self.storage, copy=False)
        bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
        # The upper half of a float32, rounded to the nearest value, of two equally near ones to the even one.
        rounded: npt.NDArray[np.uint16] = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        return rounded

    def ort_value(self, onnxruntime: OnnxRuntime, stored: npt.NDArray[Any]) -> OrtValue:
        """Returns stored values as a tensor over the same memory."""
        if self.onnx_type is None:
            return onnxruntime.OrtValue.ortvalue_from_numpy(stored)
        return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(stored, self.onnx_type)

    def load(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Returns stored values as float32, which represents each exactly."""
        if self.onnx_type is None:
            return stored.astype(np.float32, copy=False)
        return np.left_shift(stored.astype(np.uint32), 16).view(np.float32)


FLOAT32 = ElementType("float32", np.dtype(np.float32))

INT8 = ElementType("int8", np.dtype(np.int8))
"""Type of a quantized cache, whose values are codes that are multiplied by a scale."""

ELEMENT_TYPES = {
    element_type.name: element_type
    for element_type in (
        FLOAT32,
        ElementType("float16", np.dtype(np.float16)),
        ElementType("bfloat16", np.dtype(np.uint16), _BFLOAT16),
    )
}
"""Element types by their names in a manifest."""
