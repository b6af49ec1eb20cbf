"""Whole rows that share a scale, for products of 8-bit weights with 8-bit activations."""

from dataclasses import dataclass

import numpy as np

from biogpt_onnx.quantize.bundle_weights import Values
from biogpt_onnx.quantize.packing import Codes

LARGEST_CODE = 127
"""The codes go from -127 to 127, so that a value and its negative are equally far from what they are stored as."""

ZERO_POINT = 128
"""What is added to a code. Products of two unsigned matrices are exact on every CPU; with signed weights they saturate
where there is no VNNI."""


@dataclass(frozen=True)
class Rows:
    """Symmetric 8-bit quantization with one scale for each output feature: value = (code - 128) * scale."""

    def shapes(self, out_features: int, in_features: int) -> tuple[list[int], list[int]]:
        """See `Packing`: [in, out], which is how integer products take it, and [out]."""
        return [in_features, out_features], [out_features]

    def pack(self, weight: Values) -> tuple[Codes, Values]:
        """See `Packing`."""
        scales = np.abs(weight).max(axis=1) / np.float32(LARGEST_CODE)
        # A row of zeros (or so near to it that its scale vanishes) has the scale 0.
        scales = np.where(scales < np.finfo(np.float32).tiny, np.float32(0), scales)
        codes = np.rint(weight / np.where(scales == 0, np.float32(1), scales)[:, None]) + ZERO_POINT
        return np.ascontiguousarray(codes.astype(np.uint8).T), scales
