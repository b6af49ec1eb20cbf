"""BioGPT's decoder: embeddings, layers that normalize first, a last normalization and the output head."""

import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from biogpt_onnx.export.graph.attention import Attention, AttentionInputs, GroupQueryAttention
from biogpt_onnx.export.graph.builder import GraphBuilder
from biogpt_onnx.export.graph.layers import (
    EmbeddingFactory,
    HeadFactory,
    Linear,
    LinearFactory,
    OutputHead,
    TokenTable,
)
from biogpt_onnx.export.graph.sublayers import PLAIN, Residual, Sublayers
from biogpt_onnx.runtime.bundle.architecture import Architecture

TOKEN_EMBEDDING = "embed_tokens.weight"  # noqa: S105 -- the name of a weight
POSITION_EMBEDDING = "embed_positions.weight"
UNTIED_HEAD = "output_projection.weight"

_ROWS = "rows"


@dataclass(frozen=True)
class LayerChoices:
    """Which layer stands for which job: another precision or another device is another choice, not another decoder.

    Attributes:
        linear: makes the linear layers.
        attention: the attention of every layer.
        embedding: makes the token table.
        head: makes the output head.
        dtype: what the network computes in; its weights (where no layer packs them) and its cache have this type too.
        sublayers: how the layers' results are added to the sum that runs beside them.
        even_rows: whether an even number of rows goes through the linear layers and the head, by a row of zeros where
            one is missing. For kernels that take rows in pairs and add up a single one in another order.
    """

    linear: LinearFactory
    attention: Attention
    embedding: EmbeddingFactory = TokenTable
    head: HeadFactory = OutputHead
    dtype: ir.DataType = ir.DataType.FLOAT
    sublayers: Sublayers = PLAIN
    even_rows: bool = False

    @classmethod
    def fp32(cls, architecture: Architecture) -> "LayerChoices":
        """Float32 on the CPU."""
        return cls(linear=Linear, attention=GroupQueryAttention(architecture.num_heads, architecture.head_size))


class Embedding:
    """Token embedding, scaled, plus learned position embedding.

    The published models offset positions by 2. The graph's table leaves those two rows out, so that the first token's
    row is row 0.
    """

    def __init__(self, graph: GraphBuilder, architecture: Architecture, table: EmbeddingFactory) -> None:
        self._graph, self._architecture = graph, architecture
        hidden_size = architecture.hidden_size
        self._tokens = table(graph, TOKEN_EMBEDDING, architecture.vocab_size, hidden_size)
        self._positions = graph.parameter(POSITION_EMBEDDING, [architecture.max_positions, hidden_size])

    def __call__(self, input_ids: ir.Value, position_ids: ir.Value) -> ir.Value:
        """Int64 [batch, sequence] twice to float [batch * sequence, hidden]."""
        graph, hidden_size = self._graph, self._architecture.hidden_size
        with graph.scope("embedding"):
            tokens = self._tokens(input_ids)
            if self._architecture.scale_embedding:
                scale = np.array(math.sqrt(hidden_size), dtype=graph.dtype.numpy())
                tokens = graph.op("Mul", tokens, graph.constant("embedding_scale", scale))
            summed = graph.op("Add", tokens, graph.op("Gather", self._positions, position_ids))
            return graph.op("Reshape", summed, graph.constant(_ROWS, np.array([-1, hidden_size])))


class RowFilling:
    """A row of zeros below an odd number of rows, where it is wanted.

    Everything between attentions works on each row by itself, so that the filling changes no other row.

    Args:
        graph: where the nodes go.
        one_each: a tensor of any shape with one element for each row that there is.
        hidden_size: features of a row.
        wanted: whether there is any filling at all.
    """

    def __init__(self, graph: GraphBuilder, one_each: ir.Value, hidden_size: int, *, wanted: bool) -> None:
        self._graph, self._wanted = graph, wanted
        if not wanted:
            return
        with graph.scope("row_filling"):
            rows = graph.op("Reshape", graph.op("Size", one_each), graph.constant("one_dimension", np.array([-1])))
            missing = graph.op("Mod", rows, graph.constant("two_rows", np.array([2])))
            shape = graph.op("Concat", missing, graph.constant("hidden_size", np.array([hidden_size])), axis=0)
            self._rows, self._zeros = rows, graph.op("ConstantOfShape", shape)  # [missing, hidden], of float32 zeros

    def added(self, x: ir.Value) -> ir.Value:
        """[rows, hidden] to [rows + missing, hidden]."""
        return self._graph.op("Concat", x, self._zeros, axis=0) if self._wanted else x

    def without(self, x: ir.Value) -> ir.Value:
        """[rows + missing, features] to [rows, features]."""
        if not self._wanted:
            return x
        return self._graph.op("Slice", x, self._graph.constant("first_row", np.array([0])), self._rows)


class AskedRows:
    """The rows whose logits are asked for: behind the last attention, nothing looks at the others any more."""

    def __init__(self, graph: GraphBuilder, indices: ir.Value, hidden_size: int, *, even: bool) -> None:
        self._graph, self._indices = graph, indices
        self._filling = RowFilling(graph, indices, hidden_size, wanted=even)

    def of(self, x: ir.Value) -> ir.Value:
        """[rows, hidden] to [asked + missing, hidden]."""
        return self._filling.added(self._graph.op("Gather", x, self._indices))

    def alone(self, x: ir.Value) -> ir.Value:
        """[asked + missing, features] to [asked, features]."""
        return self._filling.without(x)


class DecoderLayer:
    """x + attention(norm(x)), then x + feed-forward(norm(x))."""

    def __init__(self, graph: GraphBuilder, name: str, architecture: Architecture, choices: LayerChoices) -> None:
        self._graph, self._name, self._hidden_size = graph, name, architecture.hidden_size
        hidden_size, linear = architecture.hidden_size, choices.linear
        sublayers = choices.sublayers
        self._attention = choices.attention
        self._attention_norm = sublayers.norm(graph, f"{name}.attention_norm", hidden_size)
        self._qkv = linear(graph, f"{name}.attention.qkv", hidden_size, 3 * hidden_size)
        self._out = sublayers.closing(graph, f"{name}.attention.out", hidden_size, hidden_size, linear)
        self._feed_forward_norm = sublayers.norm(graph, f"{name}.feed_forward_norm", hidden_size)
        self._feed_forward = sublayers.feed_forward(
            graph, f"{name}.feed_forward", hidden_size, architecture.intermediate_size, linear
        )

    def __call__(  # noqa: PLR0913, PLR0917 -- what flows through the network
        self,
        residual: Residual,
        shape: ir.Value,
        past: tuple[ir.Value, ir.Value],
        shared: AttentionInputs,
        filling: RowFilling,
        asked: AskedRows | None = None,
    ) -> tuple[Residual, ir.Value, ir.Value]:
        """Float [rows, hidden] to the same, or to the rows that are asked for, and the layer's cache.

        `shape` unfolds rows to [batch, sequence, -1].
        """
        graph = self._graph
        normalized, x = self._attention_norm(residual)
        qkv = self._qkv(normalized)
        with graph.scope(f"{self._name}.attention"):
            qkv = graph.op("Reshape", filling.without(qkv), shape)
            mixed, key, value = self._attention(graph, qkv, *past, shared)
            mixed = graph.op("Reshape", mixed, graph.constant(_ROWS, np.array([-1, self._hidden_size])))
            if asked is None:
                mixed = filling.added(mixed)
            else:
                x, mixed = asked.of(x), asked.of(mixed)
        normalized, x = self._feed_forward_norm(Residual(x, self._out(mixed)))
        return Residual(x, self._feed_forward(normalized)), key, value


class Decoder:
    """The whole network, from ids to the logits of the rows that are asked for."""

    def __init__(self, graph: GraphBuilder, architecture: Architecture, choices: LayerChoices) -> None:
        self._graph, self._hidden_size, self._even_rows = graph, architecture.hidden_size, choices.even_rows
        self._embedding = Embedding(graph, architecture, choices.embedding)
        self._layers = [
            DecoderLayer(graph, f"layers.{index}", architecture, choices) for index in range(architecture.num_layers)
        ]
        self._norm = choices.sublayers.norm(graph, "final_norm", architecture.hidden_size)
        self._head = choices.head(
            graph,
            TOKEN_EMBEDDING if architecture.tied_head else UNTIED_HEAD,
            architecture.hidden_size,
            architecture.vocab_size,
        )

    def __call__(
        self,
        input_ids: ir.Value,
        position_ids: ir.Value,
        past: list[tuple[ir.Value, ir.Value]],
        shared: AttentionInputs,
        logits_indices: ir.Value,
    ) -> tuple[ir.Value, list[tuple[ir.Value, ir.Value]]]:
        """Returns logits [num_logits, vocab] and each layer's cache."""
        graph = self._graph
        x = self._embedding(input_ids, position_ids)
        with graph.scope("shape"):
            # A zero keeps the dimension of what is reshaped, which rows no longer have: take it from the ids.
            shape = graph.op("Concat", graph.op("Shape", input_ids), graph.constant("rest", np.array([-1])), axis=0)
        filling = RowFilling(graph, input_ids, self._hidden_size, wanted=self._even_rows)
        residual = Residual(filling.added(x))
        asked = AskedRows(graph, logits_indices, self._hidden_size, even=self._even_rows)
        present = []
        for layer, layer_past in zip(self._layers, past, strict=True):
            is_last = layer is self._layers[-1]
            residual, key, value = layer(residual, shape, layer_past, shared, filling, asked if is_last else None)
            present.append((key, value))
        normalized, _ = self._norm(residual)
        logits = self._head(normalized)
        with graph.scope("logits"):
            return asked.alone(logits), present
