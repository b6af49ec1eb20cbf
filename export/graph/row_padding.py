"""Rows of the network's products: padding to an even number, and the selection of those whose logits are asked for."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from biogpt_onnx.export.graph.builder import GraphBuilder


class RowPadding:
    """Padding of an odd number of rows by a row of zeros.

    Everything between attentions works on each row by itself, so that the padding changes no other row.

    Args:
        graph: graph to add to.
        one_each: tensor of any shape with one element for each row.
        hidden_size: features of a row.
        even: whether rows are padded; otherwise nothing is added to the graph, and rows pass as they are.
    """

    def __init__(self, graph: GraphBuilder, one_each: ir.Value, hidden_size: int, *, even: bool) -> None:
        self._graph, self._even = graph, even
        if not even:
            return
        with graph.scope("row_padding"):
            rows = graph.op("Reshape", graph.op("Size", one_each), graph.constant("one_dimension", np.array([-1])))
            missing = graph.op("Mod", rows, graph.constant("two_rows", np.array([2])))
            shape = graph.op("Concat", missing, graph.constant("hidden_size", np.array([hidden_size])), axis=0)
            self._rows, self._zeros = rows, graph.op("ConstantOfShape", shape)  # float32 [padding, hidden]

    def add(self, x: ir.Value) -> ir.Value:
        """Pads [rows, hidden] to [rows + padding, hidden]."""
        return self.join([x])

    def join(self, parts: Sequence[ir.Value]) -> ir.Value:
        """Puts parts of the rows, each [rows of the part, hidden], together and pads them."""
        parts = [*parts, self._zeros] if self._even else parts
        return parts[0] if len(parts) == 1 else self._graph.op("Concat", *parts, axis=0)

    def remove(self, x: ir.Value) -> ir.Value:
        """Cuts [rows + padding, features] to [rows, features]."""
        if not self._even:
            return x
        return self._graph.op("Slice", x, self._graph.constant("first_row", np.array([0])), self._rows)


class LogitRows:
    """Rows whose logits are asked for; behind the last attention no others are computed.

    Args:
        graph: graph to add to.
        indices: int64 [num_logits], the rows.
        hidden_size: features of a row.
        even: whether these rows are padded to an even number.
    """

    def __init__(self, graph: GraphBuilder, indices: ir.Value, hidden_size: int, *, even: bool) -> None:
        self._graph, self._indices = graph, indices
        self._padding = RowPadding(graph, indices, hidden_size, even=even)

    def select(self, x: ir.Value) -> ir.Value:
        """Gathers the rows of [rows, hidden] and pads them: [num_logits + padding, hidden]."""
        return self._padding.add(self._graph.op("Gather", x, self._indices))

    def without_padding(self, x: ir.Value) -> ir.Value:
        """Cuts [num_logits + padding, features] to [num_logits, features]."""
        return self._padding.remove(x)
