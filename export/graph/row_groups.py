"""Groups of a pass's rows, each with an attention and a cache of its own."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from biogpt_onnx.export.graph.attention import AttentionInputs, LayerCache
from biogpt_onnx.export.graph.builder import GraphBuilder

LayerCaches = list[LayerCache]
"""Each layer's keys and values."""


@dataclass(frozen=True)
class RowRange:
    """The rows of a group among those of the pass.

    Attributes:
        first: int64 [1], the group's first row.
        end: int64 [1], the row behind its last.
        num_results: int64 [1], number of its rows, from the first, whose results go on; None for all.
    """

    first: ir.Value
    end: ir.Value
    num_results: ir.Value | None = None


@dataclass(frozen=True)
class RowGroup:
    """Rows of a pass that one attention operator takes, as a batch of sequences of equal length.

    Attributes:
        shape: int64 [3], [batch, sequence, -1], to which the rows are unfolded for the attention.
        past: each layer's cached keys and values.
        shared: inputs of every layer's attention.
        rows: the group's rows; None for all rows of the pass.
    """

    shape: ir.Value
    past: LayerCaches
    shared: AttentionInputs
    rows: RowRange | None = None


def only_group(graph: GraphBuilder, input_ids: ir.Value, past: LayerCaches, shared: AttentionInputs) -> RowGroup:
    """Returns the group of all rows of a pass over int64 [batch, sequence] token ids."""
    return RowGroup(_unfolded(graph, input_ids), past, shared)


def first_group(
    graph: GraphBuilder, input_ids: ir.Value, past: LayerCaches, shared: AttentionInputs, *, may_be_empty: bool = False
) -> RowGroup:
    """Returns the group of the first rows of a pass, those of int64 [batch, sequence] token ids.

    Args:
        graph: graph to add to.
        input_ids: token ids.
        past: each layer's cached keys and values.
        shared: inputs of every layer's attention.
        may_be_empty: whether there may be no such rows. The attention then gets the first row of the next group, whose
            result is cut off.
    """
    with graph.scope("first_group"):
        first, size = graph.constant("first_row", np.array([0])), _size(graph, input_ids)
        if not may_be_empty:
            return RowGroup(_unfolded(graph, input_ids), past, shared, RowRange(first, size))
        one = graph.constant("one_row", np.array([1]))
        rows = RowRange(first, graph.op("Max", size, one), size)
        sizes = graph.op("Max", graph.op("Shape", input_ids), one)
        shape = graph.op("Concat", sizes, graph.constant("rest", np.array([-1])), axis=0)
        return RowGroup(shape, past, shared, rows)


def steps_group(graph: GraphBuilder, step_position_ids: ir.Value, first: RowGroup, past: LayerCaches) -> RowGroup:
    """Returns the group of the rows behind the first group: any number of sequences that append as many tokens each.

    The attention's operator cannot take an empty batch. Where no sequence steps, it gets the last row of the first
    group, whose result is cut off.

    Args:
        graph: graph to add to.
        step_position_ids: int64 [steps, tokens], the position of each token.
        first: the group before it.
        past: each layer's cached keys and values, [max(steps, 1), heads, capacity, head_size].

    Raises:
        ValueError: the first group has all rows of the pass.
    """
    if first.rows is None:
        raise ValueError("the first group has all rows of the pass, and leaves none for steps")
    with graph.scope("steps_group"):
        num_steps = _size(graph, step_position_ids)
        end = graph.op("Add", first.rows.num_results or first.rows.end, num_steps)
        num_rows = graph.op("Max", num_steps, graph.constant("one_row", np.array([1])))
        missing = graph.op("Sub", num_rows, num_steps)
        # A token's position is the number of tokens before it, which is what the operator's `seqlens_k` counts.
        positions = graph.op("Gather", step_position_ids, graph.constant("last_token", np.array(-1)), axis=1)
        no_tokens = graph.op(
            "Slice", graph.constant("first_row", np.array([0])), graph.constant("first_row", np.array([0])), missing
        )
        seqlens_k = graph.op(
            "Cast", graph.op("Concat", positions, no_tokens, axis=0), to=ir.DataType.INT32.value
        )  # [max(steps, 1)]
        longest = graph.op("ReduceMax", seqlens_k, graph.constant("only_axis", np.array([0])), keepdims=0)
        total = graph.op("Add", longest, graph.constant("one_token", np.array(1, dtype=np.int32)))
        rows = RowRange(graph.op("Sub", end, num_rows), end, num_steps)
        sizes = graph.op("Max", graph.op("Shape", step_position_ids), graph.constant("one_row", np.array([1])))
        shape = graph.op("Concat", sizes, graph.constant("rest", np.array([-1])), axis=0)
    return RowGroup(shape, past, AttentionInputs(seqlens_k, total, attention_bias=None), rows)


def _unfolded(graph: GraphBuilder, input_ids: ir.Value) -> ir.Value:
    with graph.scope("shape"):
        # A zero keeps the dimension of what is reshaped, which rows no longer have: take it from the ids.
        return graph.op("Concat", graph.op("Shape", input_ids), graph.constant("rest", np.array([-1])), axis=0)


def _size(graph: GraphBuilder, values: ir.Value) -> ir.Value:
    return graph.op("Reshape", graph.op("Size", values), graph.constant("one_dimension", np.array([-1])))
