"""Layers of the decoder over packed weights."""

import numpy as np
import onnx_ir as ir

from biogpt_onnx.export.graph.builder import MICROSOFT, GraphBuilder
from biogpt_onnx.quantize.packing.blocks import Blocks
from biogpt_onnx.quantize.packing.packed_weights import PackedWeights
from biogpt_onnx.quantize.packing.products import packed_product
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.packing.static_scale import StaticScale


class PackedLinear:
    """Linear layer y = x Wᵀ + b with W packed.

    With a static scale, which weights packed in rows may have, x is quantized with this one scale; without one, each
    row or block of x has its own. A weight that is packed in two ways has its parameters under names with a suffix.
    """

    def __init__(  # noqa: PLR0913 -- a linear layer's four arguments, its packing and its scale
        self,
        graph: GraphBuilder,
        name: str,
        in_features: int,
        out_features: int,
        *,
        packed: PackedWeights,
        packing: Blocks | Rows,
        static: StaticScale | None = None,
        suffix: str = "",
    ) -> None:
        self._graph, self._name = graph, name
        codes, scales = packed.declare(graph, f"{name}.weight", packing, out_features, in_features, suffix)
        self._product = packed_product(graph, codes, scales, packing, in_features, out_features, static)
        self._bias = graph.parameter(f"{name}.bias", [out_features])

    def __call__(self, x: ir.Value) -> ir.Value:
        """Adds the layer's nodes: [rows, in] to [rows, out]."""
        with self._graph.scope(self._name):
            return self._product(x, self._bias)


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
        codes, scales = packed.declare(graph, weight_name, packing, vocab_size, hidden_size)
        self._product = packed_product(graph, codes, scales, packing, hidden_size, vocab_size)

    def __call__(self, x: ir.Value) -> ir.Value:
        """Adds the head's nodes: [rows, hidden] to [rows, vocab]."""
        with self._graph.scope("output_projection"):
            return self._product(x, None)


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
