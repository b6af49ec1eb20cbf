"""Whole rows that share a scale, for products of integer weights with 8-bit activations."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx_ir as ir

from biogpt_onnx.quantize.bundle_weights import Values
from biogpt_onnx.quantize.packing.packed_weights import Codes


@dataclass(frozen=True)
class Rows:
    """Symmetric quantization with one scale for each output feature: value = (code - zero point) * scale.

    Attributes:
        bits: of a code, which takes a byte in either case. 7 are signed. CPUs without VNNI add two products with
            8-bit activations into 16 bits, where products with 8-bit weights saturate; 7 bits fit, and all CPUs
            compute the same. 8 are unsigned, which these CPUs multiply exactly, but more slowly.
    """

    bits: Literal[7, 8]

    @property
    def dtype(self) -> ir.DataType:
        """See `Packing`."""
        return ir.DataType.UINT8 if self.bits == 8 else ir.DataType.INT8  # noqa: PLR2004 -- bits

    @property
    def zero_point(self) -> int:
        """The code of 0."""
        return 128 if self.bits == 8 else 0  # noqa: PLR2004 -- likewise

    @property
    def largest(self) -> int:
        """Codes reach as far to either side of the zero point, so that a value and its negative fare alike."""
        return (1 << (self.bits - 1)) - 1

    def shapes(self, out_features: int, in_features: int) -> tuple[list[int], list[int]]:
        """See `Packing`: [in, out], which is how integer products take it, and [out]."""
        return [in_features, out_features], [out_features]

    def pack(self, weight: Values) -> tuple[Codes, Values]:
        """See `Packing`."""
        scales = np.abs(weight).max(axis=1) / np.float32(self.largest)
        # A row of zeros (or so near to it that its scale vanishes) has the scale 0.
        scales = np.where(scales < np.finfo(np.float32).tiny, np.float32(0), scales)
        codes = np.rint(weight / np.where(scales == 0, np.float32(1), scales)[:, None]) + self.zero_point
        return np.ascontiguousarray(codes.astype(self.dtype.numpy()).T), scales
