"""Protocol of the ways to pack a matrix."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from biogpt_onnx.quantize.bundle_weights import Values

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.int8]
"""Quantized values: a byte each, or two of 4 bits to a byte."""

VALUES_AT_ONCE = 1 << 17
"""Values that are packed at a time: they stay in the processor's cache through all operations on them, and bound the
memory for a matrix of any size."""


class Packing(Protocol):
    """Way to store a matrix [out, in] as codes in bytes and float32 scales."""

    @property
    def dtype(self) -> ir.DataType:
        """Type of the codes' bytes."""
        ...

    def shapes(self, out_features: int, in_features: int) -> tuple[list[int], list[int]]:
        """Returns the shapes of codes and scales."""
        ...

    def pack(self, weight: Values) -> tuple[Codes, Values]:
        """Quantizes a matrix [out, in] to codes and scales."""
        ...
