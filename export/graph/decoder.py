"""BioGPT's decoder: embeddings, pre-normalization layers, a last normalization and the output head."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from biogpt_onnx.export.graph.attention import Attention, GroupQueryAttention, LayerCache
from biogpt_onnx.export.graph.builder import GraphBuilder
from biogpt_onnx.export.graph.layers import (
    EmbeddingFactory,
    HeadFactory,
    Layer,
    Linear,
    LinearFactory,
    OutputHead,
    TokenTable,
)
from biogpt_onnx.export.graph.row_groups import LayerCaches, RowGroup
from biogpt_onnx.export.graph.row_padding import LogitRows, RowPadding
from biogpt_onnx.export.graph.sublayers import PLAIN, ResidualStream, Sublayers
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.classification_head import ClassificationHead
from biogpt_onnx.runtime.bundle.linear_layers import decoder_linears

TOKEN_EMBEDDING = "embed_tokens.weight"  # noqa: S105 -- the name of a weight
POSITION_EMBEDDING = "embed_positions.weight"
UNTIED_HEAD = "output_projection.weight"

_ROWS = "rows"


@dataclass(frozen=True)
class LayerChoices:
    """Layers that the decoder is built of; another precision or device is another choice, not another decoder.

    Attributes:
        linear: makes the linear layers.
        attention: attention operator of every layer.
        embedding: makes the embedding table.
        head: makes the output head.
        dtype: type that the network computes in; the cache, and weights that no layer packs, have it too.
        sublayers: makes the sublayers around the residual stream.
        even_rows: whether a row of zeros is added where the linear layers and the head would get an odd number of
            rows, for kernels that take rows in pairs and add up a single one in another order.

    Raises:
        ValueError: `sublayers` would ignore `linear`.
    """

    linear: LinearFactory
    attention: Attention
    embedding: EmbeddingFactory = TokenTable
    head: HeadFactory = OutputHead
    dtype: ir.DataType = ir.DataType.FLOAT
    sublayers: Sublayers = PLAIN
    even_rows: bool = False

    def __post_init__(self) -> None:
        """Refuses a combination in which packed layers would be lost without a word."""
        if self.sublayers.plain_weights_only and self.linear is not Linear:
            raise ValueError(
                f"sublayers are fused, which compute with plain weights only and would ignore linear={self.linear!r}: "
                "choose sublayers=PLAIN, or linear=Linear"
            )

    @classmethod
    def fp32(cls, architecture: Architecture) -> "LayerChoices":
        """Returns the choices for float32 on the CPU."""
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
        """Adds the nodes: two tensors int64 [batch, sequence] to float [batch * sequence, hidden]."""
        graph, hidden_size = self._graph, self._architecture.hidden_size
        with graph.scope("embedding"):
            tokens = self._tokens(input_ids)
            if self._architecture.scale_embedding:
                scale = np.array(math.sqrt(hidden_size), dtype=graph.dtype.numpy())
                tokens = graph.op("Mul", tokens, graph.constant("embedding_scale", scale))
            summed = graph.op("Add", tokens, graph.op("Gather", self._positions, position_ids))
            return graph.op("Reshape", summed, graph.constant(_ROWS, np.array([-1, hidden_size])))


class DecoderLayer:
    """Decoder layer: x + attention(norm(x)), then x + feed-forward(norm(x))."""

    def __init__(self, graph: GraphBuilder, index: int, architecture: Architecture, choices: LayerChoices) -> None:
        self._graph, self._index, self._hidden_size = graph, index, architecture.hidden_size
        self._name = name = f"layers.{index}"
        linears, sublayers = decoder_linears(architecture, index), choices.sublayers
        self._attention = choices.attention
        self._attention_norm = sublayers.norm(graph, f"{name}.attention_norm", self._hidden_size)
        self._qkv = choices.linear(graph, *linears.qkv)
        self._attention_output = sublayers.attention_output(graph, linears.attention_output, choices.linear)
        self._feed_forward_norm = sublayers.norm(graph, f"{name}.feed_forward_norm", self._hidden_size)
        self._feed_forward = sublayers.feed_forward(
            graph, f"{name}.feed_forward", linears.fc1, linears.fc2, choices.linear
        )

    def __call__(
        self,
        stream: ResidualStream,
        groups: Sequence[RowGroup],
        padding: RowPadding,
        logit_rows: LogitRows | None = None,
    ) -> tuple[ResidualStream, LayerCaches]:
        """Adds the layer's nodes.

        Args:
            stream: residual stream of [rows, hidden].
            groups: groups of the rows, in their order, each with an attention of its own.
            padding: padding of the rows.
            logit_rows: rows that go on behind the attention; None for all of them.

        Returns:
            The residual stream of the rows that go on, and for each group the layer's keys and values.
        """
        graph = self._graph
        normalized, x = self._attention_norm(stream)
        qkv = self._qkv(normalized)
        with graph.scope(f"{self._name}.attention"):
            attended = [self._attend(qkv, group, padding) for group in groups]
            parts = [mixed for mixed, _ in attended]
            if logit_rows is None:
                mixed = padding.join(parts)
            else:
                mixed = parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=0)
                x, mixed = logit_rows.select(x), logit_rows.select(mixed)
        normalized, x = self._feed_forward_norm(ResidualStream(x, self._attention_output(mixed)))
        return ResidualStream(x, self._feed_forward(normalized)), [present for _, present in attended]

    def _attend(self, qkv: ir.Value, group: RowGroup, padding: RowPadding) -> tuple[ir.Value, LayerCache]:
        """Adds a group's attention; returns its result [rows, hidden], and the layer's keys and values."""
        graph, rows = self._graph, group.rows
        qkv = padding.remove(qkv) if rows is None else graph.op("Slice", qkv, rows.first, rows.end)
        qkv = graph.op("Reshape", qkv, group.shape)
        mixed, present = self._attention(graph, qkv, group.past[self._index], group.shared)
        mixed = graph.op("Reshape", mixed, graph.constant(_ROWS, np.array([-1, self._hidden_size])))
        if rows is not None and rows.num_results is not None:
            mixed = graph.op("Slice", mixed, graph.constant("first_row", np.array([0])), rows.num_results)
        return mixed, present


class DecoderOutputs(NamedTuple):
    """Results of the whole network.

    Attributes:
        logits: [num_logits, vocab or labels].
        hidden_states: states behind the last normalization, which the head reads, [num_logits, hidden].
        present: for each group of rows, each layer's keys and values with this step's in them, [batch, heads, capacity,
            head_size].
    """

    logits: ir.Value
    hidden_states: ir.Value
    present: list[LayerCaches]


class Decoder:
    """The whole network, from ids to the logits of the rows that are asked for.

    Args:
        graph: graph to add to.
        architecture: network's shape.
        choices: layers that it is built of.
        head: classification head in the place of the language-model head; None for a language model.
    """

    def __init__(
        self,
        graph: GraphBuilder,
        architecture: Architecture,
        choices: LayerChoices,
        head: ClassificationHead | None = None,
    ) -> None:
        self._graph, self._hidden_size, self._even_rows = graph, architecture.hidden_size, choices.even_rows
        self._embedding = Embedding(graph, architecture, choices.embedding)
        self._layers = [DecoderLayer(graph, index, architecture, choices) for index in range(architecture.num_layers)]
        self._norm = choices.sublayers.norm(graph, "final_norm", architecture.hidden_size)
        self._head = _head(graph, architecture, choices, head)

    def __call__(
        self,
        input_ids: ir.Value,
        position_ids: ir.Value,
        groups: Sequence[RowGroup],
        logits_indices: ir.Value,
        logits_limit: ir.Value | None = None,
    ) -> DecoderOutputs:
        """Adds the network's nodes.

        Args:
            input_ids: int64 [batch, sequence], which are the rows batch * sequence.
            position_ids: int64 [batch, sequence].
            groups: groups of the rows, in their order, each with an attention of its own.
            logits_indices: int64 [num_logits], rows whose hidden states and logits are computed.
            logits_limit: int64 [1], of these rows the number, from the first, whose logits are computed; None for all.
        """
        graph = self._graph
        x = self._embedding(input_ids, position_ids)
        padding = RowPadding(graph, input_ids, self._hidden_size, even=self._even_rows)
        stream = ResidualStream(padding.add(x))
        logit_rows = LogitRows(graph, logits_indices, self._hidden_size, even=self._even_rows)
        present: list[LayerCaches] = [[] for _ in groups]
        for layer in self._layers:
            is_last = layer is self._layers[-1]
            stream, caches = layer(stream, groups, padding, logit_rows if is_last else None)
            for group, cache in zip(present, caches, strict=True):
                group.append(cache)
        normalized, _ = self._norm(stream)
        scored = normalized
        if logits_limit is not None:
            with graph.scope("logits"):
                scored = graph.op("Slice", normalized, graph.constant("first_row", np.array([0])), logits_limit)
        logits = self._head(scored)
        with graph.scope("logits"):
            logits = logit_rows.without_padding(logits)
        with graph.scope("hidden_states"):
            return DecoderOutputs(logits, logit_rows.without_padding(normalized), present)


def head_node(head: ClassificationHead) -> str:
    """Returns the name of the node that computes a classification head."""
    return f"{head.layer}/Gemm"


def _head(
    graph: GraphBuilder, architecture: Architecture, choices: LayerChoices, head: ClassificationHead | None
) -> Layer:
    hidden_size = architecture.hidden_size
    if head is None:
        name = TOKEN_EMBEDDING if architecture.tied_head else UNTIED_HEAD
        return choices.head(graph, name, hidden_size, architecture.vocab_size)
    # It is never packed: it is tiny, and each of its numbers decides about a label.
    if head.has_bias:
        return Linear(graph, head.layer, hidden_size, head.num_labels)
    return OutputHead(graph, f"{head.layer}.weight", hidden_size, head.num_labels, name=head.layer)
