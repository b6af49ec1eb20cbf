"""Products x Wᵀ + b with packed weights, by how x is quantized."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from biogpt_onnx.export.graph.builder import MICROSOFT, GraphBuilder
from biogpt_onnx.quantize.packing.blocks import Blocks
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.packing.static_scale import StaticScale

# MatMulNBits quantizes activations to 8 bits too, with a scale for each block. Other levels unpack the whole matrix at
# each call.
_ACCURACY_LEVEL = 4

# Activations of a row-wise product are codes from -127 to 127 about a zero point of 128.
_LARGEST_ACTIVATION = 127
_ACTIVATION_ZERO_POINT = 128

Product = Callable[[ir.Value, ir.Value | None], ir.Value]
"""Adds a product's nodes: x [rows, in] and the bias [out], None for none, to [rows, out]."""


def packed_product(  # noqa: PLR0913, PLR0917 -- a graph, packed weights and their sizes, and the scale
    graph: GraphBuilder,
    codes: ir.Value,
    scales: ir.Value,
    packing: Blocks | Rows,
    in_features: int,
    out_features: int,
    static: StaticScale | None = None,
) -> Product:
    """Returns the product with packed weights.

    Args:
        graph: graph to add to.
        codes: codes of the weight.
        scales: scales of the weight.
        packing: packing of the weight.
        in_features: columns of the weight.
        out_features: rows of the weight.
        static: scale of x for all rows, for weights packed in rows; None for a scale for each row.
    """
    if isinstance(packing, Blocks):
        return _BlockMatMul(graph, codes, scales, packing, in_features, out_features)
    if static is not None:
        return _StaticMatMul(graph, codes, scales, packing, static)
    return _RowMatMul(graph, codes, scales, packing)


@dataclass(frozen=True)
class _RowMatMul:
    """Product x Wᵀ + b with each row of x quantized to 8 bits by its own largest magnitude.

    One scale for all of x, as DynamicQuantizeLinear makes it, would let a row's neighbours change its result.
    """

    graph: GraphBuilder
    codes: ir.Value
    scales: ir.Value
    weights: Rows

    def __call__(self, x: ir.Value, bias: ir.Value | None) -> ir.Value:
        graph = self.graph
        step = graph.constant("row_step", np.array(1 / _LARGEST_ACTIVATION, dtype=np.float32))
        zero_point = graph.constant("row_zero_point", np.array(_ACTIVATION_ZERO_POINT, dtype=np.uint8))
        last = graph.constant("last_axis", np.array([-1]))
        # [rows, 1]. A row of zeros becomes NaN and then arbitrary codes, whose product is multiplied by 0 again.
        magnitude = graph.op("ReduceMax", graph.op("Abs", x), last)
        product = graph.op(
            "MatMulIntegerToFloat",
            graph.op("QuantizeLinear", graph.op("Div", x, magnitude), step, zero_point),
            self.codes,
            step,
            self.scales,
            zero_point,
            _weight_zero_point(graph, self.weights),
            domain=MICROSOFT,
        )
        product = graph.op("Mul", product, magnitude)
        return product if bias is None else graph.op("Add", product, bias)


@dataclass(frozen=True)
class _StaticMatMul:
    """Product x Wᵀ + b with all rows of x quantized to 8 bits by one scale, which is known before."""

    graph: GraphBuilder
    codes: ir.Value
    scales: ir.Value
    weights: Rows
    static: StaticScale

    def __call__(self, x: ir.Value, bias: ir.Value | None) -> ir.Value:
        graph = self.graph
        # Constants of equal value are one, whatever layer declares them first.
        scale = np.array(self.static.scale, dtype=np.float32)
        step = graph.constant(f"static_step_{scale.item().hex()}", scale)
        zero = np.array(self.static.zero_point, dtype=np.uint8)
        zero_point = graph.constant(f"static_zero_point_{self.static.zero_point}", zero)
        return graph.op(
            "MatMulIntegerToFloat",
            graph.op("QuantizeLinear", x, step, zero_point),
            self.codes,
            step,
            self.scales,
            zero_point,
            _weight_zero_point(graph, self.weights),
            bias,
            domain=MICROSOFT,
        )


def _weight_zero_point(graph: GraphBuilder, weights: Rows) -> ir.Value:
    zero_point = np.array(weights.zero_point, dtype=weights.dtype.numpy())
    return graph.constant(f"weight_zero_point_{weights.bits}", zero_point)


@dataclass(frozen=True)
class _BlockMatMul:
    """Product x Wᵀ + b with each block of x quantized to 8 bits by itself."""

    graph: GraphBuilder
    codes: ir.Value
    scales: ir.Value
    blocks: Blocks
    in_features: int
    out_features: int

    def __call__(self, x: ir.Value, bias: ir.Value | None) -> ir.Value:
        zero_points, group_indices = None, None
        return self.graph.op(
            "MatMulNBits",
            x,
            self.codes,
            self.scales,
            zero_points,
            group_indices,
            bias,
            domain=MICROSOFT,
            K=self.in_features,
            N=self.out_features,
            bits=self.blocks.bits,
            block_size=self.blocks.size,
            accuracy_level=_ACCURACY_LEVEL,
        )
