"""Layers of the decoder in plain weights: linear, embedding table, output head and normalization."""

from collections.abc import Callable
from typing import Protocol

import onnx_ir as ir

from biogpt_onnx.export.graph.builder import GraphBuilder
from biogpt_onnx.runtime.bundle.architecture import LAYER_NORM_EPSILON


class Layer(Protocol):
    """Part of the network whose weights are declared when it is made and used when it is called."""

    def __call__(self, x: ir.Value) -> ir.Value:
        """Adds the layer's nodes: [rows, in features] to [rows, out features]."""
        ...


LinearFactory = Callable[[GraphBuilder, str, int, int], Layer]
"""Makes a linear layer from its name, its input and its output size: where a precision is chosen."""

HeadFactory = Callable[[GraphBuilder, str, int, int], Layer]
"""Makes the output head from its weight's name, the hidden and the vocabulary's size; a tied head's weight has the name
of the embedding's."""

EmbeddingFactory = Callable[[GraphBuilder, str, int, int], Layer]
"""Makes the embedding table from its weight's name, the vocabulary's and the hidden size: a layer of ids int64 [batch,
sequence] to float [batch, sequence, hidden]."""


class Linear:
    """Linear layer y = x Wᵀ + b, with W [out, in] as checkpoints keep it, so that no weight is ever transposed."""

    def __init__(self, graph: GraphBuilder, name: str, in_features: int, out_features: int) -> None:
        self._graph, self._name = graph, name
        self._weight = graph.parameter(f"{name}.weight", [out_features, in_features])
        self._bias = graph.parameter(f"{name}.bias", [out_features])

    def __call__(self, x: ir.Value) -> ir.Value:
        """Adds the layer's node: [rows, in] to [rows, out]."""
        with self._graph.scope(self._name):
            return self._graph.op("Gemm", x, self._weight, self._bias, transB=1)


class TokenTable:
    """Embedding table: rows by their ids."""

    def __init__(self, graph: GraphBuilder, weight_name: str, vocab_size: int, hidden_size: int) -> None:
        self._graph = graph
        self._weight = graph.parameter(weight_name, [vocab_size, hidden_size])

    def __call__(self, x: ir.Value) -> ir.Value:
        """Adds the look-up: ids int64 [batch, sequence] to float [batch, sequence, hidden]."""
        return self._graph.op("Gather", self._weight, x)


class OutputHead:
    """Output head: hidden states to logits, without bias. A tied head names the embedding's matrix as its weight."""

    def __init__(
        self, graph: GraphBuilder, weight_name: str, hidden_size: int, vocab_size: int, name: str = "output_projection"
    ) -> None:
        self._graph, self._name = graph, name
        self._weight = graph.parameter(weight_name, [vocab_size, hidden_size])

    def __call__(self, x: ir.Value) -> ir.Value:
        """Adds the head's node: [rows, hidden] to [rows, vocab]."""
        with self._graph.scope(self._name):
            return self._graph.op("Gemm", x, self._weight, transB=1)


class LayerNorm:
    """Normalization over the features.

    Attributes:
        gain: [features], multiplied with the normalized features.
        bias: [features], added to the product.
    """

    def __init__(self, graph: GraphBuilder, name: str, features: int) -> None:
        self._graph, self._name = graph, name
        self.gain = graph.parameter(f"{name}.weight", [features])
        self.bias = graph.parameter(f"{name}.bias", [features])

    def __call__(self, x: ir.Value) -> ir.Value:
        """Adds the normalization: [rows, features] to [rows, features]."""
        with self._graph.scope(self._name):
            return self._graph.op("LayerNormalization", x, self.gain, self.bias, axis=-1, epsilon=LAYER_NORM_EPSILON)
