"""Sublayers (attention's output, feed-forward part, normalization) and how they add to the residual stream.

Each residual branch reads the normalized residual stream and adds its result to it. On the CPU that is one operator
after the other; on a GPU, where a step of one token costs by the number of its operators, fused operators do it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import onnx_ir as ir

from biogpt_onnx.export.graph.builder import MICROSOFT, GraphBuilder
from biogpt_onnx.export.graph.layers import LayerNorm, LinearFactory
from biogpt_onnx.runtime.bundle.architecture import LAYER_NORM_EPSILON
from biogpt_onnx.runtime.bundle.linear_layers import LinearLayer


class BranchOutput(NamedTuple):
    """Result of a residual branch.

    Attributes:
        value: [rows, hidden], to be added to the residual stream.
        bias: [hidden], to be added to `value`; None where it is in it already.
    """

    value: ir.Value
    bias: ir.Value | None = None


class ResidualStream(NamedTuple):
    """The residual stream between two sublayers.

    Attributes:
        x: [rows, hidden], the stream without the last branch's result.
        pending: result of the last branch, still to be added; None before the first branch.
    """

    x: ir.Value
    pending: BranchOutput | None = None


class ResidualNorm(Protocol):
    """Normalization that adds the pending branch to the residual stream first."""

    def __call__(self, stream: ResidualStream) -> tuple[ir.Value, ir.Value]:
        """Adds the nodes; returns the normalized stream and the stream itself, both [rows, hidden]."""
        ...


class Branch(Protocol):
    """The last layers of a residual branch."""

    def __call__(self, x: ir.Value) -> BranchOutput:
        """Adds the nodes: [rows, features] to the branch's result."""
        ...


@dataclass(frozen=True)
class Sublayers:
    """Factories of the sublayers around the residual stream.

    Attributes:
        norm: makes a normalization from its name and the hidden size.
        attention_output: makes the attention's output projection from its sizes.
        feed_forward: makes the feed-forward part from its name and its two linear layers' sizes.
        plain_weights_only: whether the linear layers in them are always of plain weights, whatever factory is given.
    """

    norm: Callable[[GraphBuilder, str, int], ResidualNorm]
    attention_output: Callable[[GraphBuilder, LinearLayer, LinearFactory], Branch]
    feed_forward: Callable[[GraphBuilder, str, LinearLayer, LinearLayer, LinearFactory], Branch]
    plain_weights_only: bool = False


class _AddThenNorm:
    """Add, then LayerNormalization.

    Not SkipLayerNormalization, which is four times slower than the two on the CPU.
    """

    def __init__(self, graph: GraphBuilder, name: str, features: int) -> None:
        self._graph, self._name = graph, name
        self._norm = LayerNorm(graph, name, features)

    def __call__(self, stream: ResidualStream) -> tuple[ir.Value, ir.Value]:
        x, pending = stream
        if pending is not None:
            with self._graph.scope(self._name):
                x = self._graph.op("Add", x, pending.value)
        return self._norm(x), x


class _AttentionOutput:
    """Output projection with its bias."""

    def __init__(self, graph: GraphBuilder, projection: LinearLayer, linear: LinearFactory) -> None:
        self._linear = linear(graph, *projection)

    def __call__(self, x: ir.Value) -> BranchOutput:
        return BranchOutput(self._linear(x))


class _FeedForward:
    """Linear, exact (erf) GELU, linear, with their biases."""

    def __init__(
        self, graph: GraphBuilder, name: str, fc1: LinearLayer, fc2: LinearLayer, linear: LinearFactory
    ) -> None:
        self._graph, self._name = graph, name
        self._fc1 = linear(graph, *fc1)
        self._fc2 = linear(graph, *fc2)

    def __call__(self, x: ir.Value) -> BranchOutput:
        hidden = self._fc1(x)  # [rows, intermediate]
        with self._graph.scope(self._name):
            hidden = self._graph.op("Gelu", hidden, approximate="none")
        return BranchOutput(self._fc2(hidden))


class _FusedNorm:
    """Addition of branch and bias, and normalization, in one operator."""

    def __init__(self, graph: GraphBuilder, name: str, features: int) -> None:
        self._graph, self._name = graph, name
        self._norm = LayerNorm(graph, name, features)

    def __call__(self, stream: ResidualStream) -> tuple[ir.Value, ir.Value]:
        x, pending = stream
        if pending is None:
            return self._norm(x), x
        with self._graph.scope(self._name):
            normalized, mean, deviation, x = self._graph.op_outputs(
                4,
                "SkipLayerNormalization",
                x,
                pending.value,
                self._norm.gain,
                self._norm.bias,
                pending.bias,
                domain=MICROSOFT,
                epsilon=LAYER_NORM_EPSILON,
            )
        # ONNX leaves out an output by an empty name.
        mean.name, deviation.name = "", ""
        return normalized, x


class _LinearBeforeBias:
    """Linear layer whose bias the operator after it adds."""

    def __init__(self, graph: GraphBuilder, name: str, in_features: int, out_features: int) -> None:
        self._graph, self._name = graph, name
        self._weight = graph.parameter(f"{name}.weight", [out_features, in_features])
        self._bias = graph.parameter(f"{name}.bias", [out_features])

    def __call__(self, x: ir.Value) -> BranchOutput:
        with self._graph.scope(self._name):
            return BranchOutput(self._graph.op("Gemm", x, self._weight, transB=1), self._bias)


def _fused_attention_output(graph: GraphBuilder, projection: LinearLayer, linear: LinearFactory) -> _LinearBeforeBias:
    del linear  # `LayerChoices` refuses any other than the plain one
    return _LinearBeforeBias(graph, *projection)


class _FusedFeedForward:
    """Linear, exact (erf) GELU together with the bias, linear."""

    def __init__(
        self, graph: GraphBuilder, name: str, fc1: LinearLayer, fc2: LinearLayer, linear: LinearFactory
    ) -> None:
        del linear  # `LayerChoices` refuses any other than the plain one
        self._graph, self._name = graph, name
        self._fc1 = _LinearBeforeBias(graph, *fc1)
        self._fc2 = _LinearBeforeBias(graph, *fc2)

    def __call__(self, x: ir.Value) -> BranchOutput:
        product, bias = self._fc1(x)
        with self._graph.scope(self._name):
            return self._fc2(self._graph.op("BiasGelu", product, bias, domain=MICROSOFT))


PLAIN = Sublayers(norm=_AddThenNorm, attention_output=_AttentionOutput, feed_forward=_FeedForward)
"""Sublayers of one operator after the other."""

FUSED = Sublayers(
    norm=_FusedNorm,
    attention_output=_fused_attention_output,
    feed_forward=_FusedFeedForward,
    plain_weights_only=True,
)
"""Sublayers of ONNX Runtime's fused operators, for weights that are not packed."""
