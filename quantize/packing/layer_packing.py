"""Choice of a linear layer's packing: its precision and its size."""

import math
from typing import TypeGuard

from biogpt_onnx.quantize.packing.blocks import Blocks
from biogpt_onnx.quantize.packing.rows import Rows

LayerPacking = Blocks | Rows | None
"""Packing of a layer's matrix; None leaves it in float32."""

_FLOAT_BYTES = 4


def precision_of(packing: LayerPacking) -> str:
    """Returns the manifest's name of a packing's precision: "fp32", "int8" or "int4"."""
    if packing is None:
        return "fp32"
    return "int4" if packing.bits == 4 else "int8"  # noqa: PLR2004 -- bits


def is_4_bits(packing: object) -> TypeGuard[Blocks]:
    """Returns True for a packing of weights in 4 bits, which are packed in blocks alone."""
    return isinstance(packing, Blocks) and precision_of(packing) == "int4"


def packed_bytes(packing: LayerPacking, shape: tuple[int, int]) -> int:
    """Returns the bytes of a matrix [out, in] that is packed, its scales included."""
    if packing is None:
        return _FLOAT_BYTES * math.prod(shape)
    codes, scales = packing.shapes(*shape)
    return math.prod(codes) + _FLOAT_BYTES * math.prod(scales)
