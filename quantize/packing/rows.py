"""Row-wise quantization, for products of integer weights with 8-bit activations."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx_ir as ir

from biogpt_onnx.quantize.bundle_weights import Values
from biogpt_onnx.quantize.packing.protocol import VALUES_AT_ONCE, Codes


@dataclass(frozen=True)
class Rows:
    """Symmetric quantization with one scale for each output feature: value = (code - zero point) * scale.

    Attributes:
        bits: bits of a code, which takes a byte in either case. Codes of 7 bits are signed, -64 to 64: CPUs without
            VNNI add two products with 8-bit activations into 16 bits, where products with larger weights would
            saturate, so that with 7 bits all CPUs compute the same. Codes of 8 bits are unsigned; all CPUs multiply
            them exactly, but more slowly.
    """

    bits: Literal[7, 8]

    @property
    def dtype(self) -> ir.DataType:
        """Type of the codes."""
        return ir.DataType.UINT8 if self.bits == 8 else ir.DataType.INT8  # noqa: PLR2004 -- bits

    @property
    def zero_point(self) -> int:
        """Code of the value 0."""
        return 128 if self.bits == 8 else 0  # noqa: PLR2004 -- bits

    @property
    def largest(self) -> int:
        """Largest distance of a code from the zero point, equal on both sides, as signed values are quantized alike."""
        return 127 if self.bits == 8 else 64  # noqa: PLR2004 -- bits

    def shapes(self, out_features: int, in_features: int) -> tuple[list[int], list[int]]:
        """Returns the shapes of codes, [in, out] as the integer product takes them, and scales, [out]."""
        return [in_features, out_features], [out_features]

    def pack(self, weight: Values) -> tuple[Codes, Values]:
        """Quantizes a matrix [out, in] to codes and scales of these shapes."""
        codes_shape, scales_shape = self.shapes(*weight.shape)
        codes, scales = np.empty(codes_shape, dtype=self.dtype.numpy()), np.empty(scales_shape, dtype=np.float32)
        rows_at_once = max(1, VALUES_AT_ONCE // weight.shape[1])
        for start in range(0, len(weight), rows_at_once):
            rows = slice(start, start + rows_at_once)
            codes[:, rows], scales[rows] = self._pack_rows(weight[rows])
        return codes, scales

    def _pack_rows(self, weight: Values) -> tuple[Codes, Values]:
        scales = np.abs(weight).max(axis=1) / np.float32(self.largest)
        # A row of zeros (or so near to it that its scale vanishes) has the scale 0.
        scales = np.where(scales < np.finfo(np.float32).tiny, np.float32(0), scales)
        codes = np.rint(weight / np.where(scales == 0, np.float32(1), scales)[:, None]) + self.zero_point
        return codes.astype(self.dtype.numpy()).T, scales
