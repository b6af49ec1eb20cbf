"""Layers of the decoder over packed weights."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from biogpt_onnx.export.graph.builder import MICROSOFT, GraphBuilder
from biogpt_onnx.quantize.packing.blocks import Blocks
from biogpt_onnx.quantize.packing.packed_weights import PackedWeights
from biogpt_onnx.quantize.packing.rows import Rows

# MatMulNBits quantizes activations to 8 bits too, with a scale for each block. Other levels unpack the whole matrix at
# each call.
_ACCURACY_LEVEL = 4

# Activations of a row-wise product are codes from -127 to 127 about a zero point of 128.
_LARGEST_ACTIVATION = 127
_ACTIVATION_ZERO_POINT = 128


class PackedLinear:
    """Linear layer y = x Wᵀ + b with W packed."""

    def __init__(  # noqa: PLR0913 -- a linear layer's four arguments, and its packing
        self,
        graph: GraphBuilder,
        name: str,
        in_features: int,
        out_features: int,
        *,
        packed: PackedWeights,
        packing: Blocks | Rows,
    ) -> None:
        self._graph, self._name = graph, name
        self._matmul = _matmul(graph, f"{name}.weight", in_features, out_features, packed=packed, packing=packing)
        self._bias = graph.parameter(f"{name}.bias", [out_features])

    def __call__(self, x: ir.Value) -> ir.Value:
        """Adds the layer's nodes: [rows, in] to [rows, out]."""
        with self._graph.scope(self._name):
            return self._matmul(x, self._bias)


class PackedHead:
    """Output head with its matrix packed: hidden states to logits. A tied head shares the codes of the table."""

    def __init__(  # noqa: PLR0913 -- a layer's four arguments, and its packing
        self,
        graph: GraphBuilder,
        weight_name: str,
        hidden_size: int,
        vocab_size: int,
        *,
        packed: PackedWeights,
        packing: Blocks | Rows,
    ) -> None:
        self._graph = graph
        self._matmul = _matmul(graph, weight_name, hidden_size, vocab_size, packed=packed, packing=packing)

    def __call__(self, x: ir.Value) -> ir.Value:
        """Adds the head's nodes: [rows, hidden] to [rows, vocab]."""
        with self._graph.scope("output_projection"):
            return self._matmul(x, None)


class BlockTable:
    """Embedding table packed in blocks: rows by their ids."""

    def __init__(  # noqa: PLR0913 -- a layer's four arguments, and its packing
        self,
        graph: GraphBuilder,
        weight_name: str,
        vocab_size: int,
        hidden_size: int,
        *,
        packed: PackedWeights,
        packing: Blocks,
    ) -> None:
        self._graph, self._hidden_size, self._blocks = graph, hidden_size, packing
        self._codes, self._scales = packed.declare(graph, weight_name, packing, vocab_size, hidden_size)

    def __call__(self, x: ir.Value) -> ir.Value:
        """Adds the look-up: ids int64 [batch, sequence] to float [batch, sequence, hidden]."""
        graph = self._graph
        # The scales are brought to the codes' number of dimensions, because reshaping the codes would copy them.
        scales = graph.op("Unsqueeze", self._scales, graph.constant("last_axis", np.array([-1])))
        blocks = graph.op(
            "GatherBlockQuantized",
            self._codes,
            x,
            scales,
            domain=MICROSOFT,
            bits=self._blocks.bits,
            block_size=self._blocks.size,
            gather_axis=0,
            quantize_axis=2,
        )  # [batch, sequence, blocks, block]
        rows = graph.op("Reshape", blocks, graph.constant("table_row", np.array([0, 0, -1])))
        if self._hidden_size % self._blocks.size == 0:
            return rows
        begin, end = np.array([0]), np.array([self._hidden_size])
        last = graph.constant("last_axis", np.array([-1]))
        return graph.op(
            "Slice", rows, graph.constant("table_begin", begin), graph.constant("table_end", end), last
        )  # without the padding


class RowTable:
    """Embedding table packed in rows, in the head's layout [hidden, vocab], where a token's row is a column."""

    def __init__(  # noqa: PLR0913 -- a layer's four arguments, and its packing
        self,
        graph: GraphBuilder,
        weight_name: str,
        vocab_size: int,
        hidden_size: int,
        *,
        packed: PackedWeights,
        packing: Rows,
    ) -> None:
        self._graph, self._weights = graph, packing
        self._codes, self._scales = packed.declare(graph, weight_name, packing, vocab_size, hidden_size)

    def __call__(self, x: ir.Value) -> ir.Value:
        """Adds the look-up: ids int64 [batch, sequence] to float [batch, sequence, hidden]."""
        graph = self._graph
        columns = graph.op("Gather", self._codes, x, axis=1)  # [hidden, batch, sequence]
        codes = graph.op("Cast", graph.op("Transpose", columns, perm=[1, 2, 0]), to=ir.DataType.FLOAT.value)
        if self._weights.zero_point:
            zero_point = np.array(self._weights.zero_point, dtype=np.float32)
            codes = graph.op("Sub", codes, graph.constant("table_zero_point", zero_point))
        scales = graph.op("Gather", self._scales, x)  # [batch, sequence]
        last = graph.constant("last_axis", np.array([-1]))
        return graph.op("Mul", codes, graph.op("Unsqueeze", scales, last))


def _matmul(  # noqa: PLR0913 -- a layer's four arguments, and its packing
    graph: GraphBuilder,
    weight_name: str,
    in_features: int,
    out_features: int,
    *,
    packed: PackedWeights,
    packing: Blocks | Rows,
) -> "_BlockMatMul | _RowMatMul":
    codes, scales = packed.declare(graph, weight_name, packing, out_features, in_features)
    if isinstance(packing, Blocks):
        return _BlockMatMul(graph, codes, scales, packing, in_features, out_features)
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
        weight_zero = np.array(self.weights.zero_point, dtype=self.weights.dtype.numpy())
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
            graph.constant(f"weight_zero_point_{self.weights.bits}", weight_zero),
            domain=MICROSOFT,
        )
        product = graph.op("Mul", product, magnitude)
        return product if bias is None else graph.op("Add", product, bias)


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
