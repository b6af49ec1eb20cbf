"""The sum that runs beside the layers, and how their results are added to it.

Every layer reads the normalized sum and adds its result to it. What is one operator after the other on the CPU are
fused operators on a GPU, where a step of one token costs by the number of its operators.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import onnx_ir as ir

from biogpt_onnx.export.graph.builder import MICROSOFT, GraphBuilder
from biogpt_onnx.export.graph.layers import FeedForward, LayerNorm, LinearFactory
from biogpt_onnx.runtime.bundle.architecture import LAYER_NORM_EPSILON


class Update(NamedTuple):
    """What a layer adds.

    Attributes:
        value: [rows, hidden].
        bias: [hidden], to be added to it; None where that is done.
    """

    value: ir.Value
    bias: ir.Value | None = None


class Residual(NamedTuple):
    """The sum so far.

    Attributes:
        x: [rows, hidden].
        update: what the layer before adds to it; None before the first.
    """

    x: ir.Value
    update: Update | None = None


class ResidualNorm(Protocol):
    """Adds what is to be added, and normalizes."""

    def __call__(self, residual: Residual) -> tuple[ir.Value, ir.Value]:
        """The sum normalized, and the sum, both [rows, hidden]."""
        ...


class Branch(Protocol):
    """The end of what stands between the sum and the sum."""

    def __call__(self, x: ir.Value) -> Update:
        """[rows, features] to what is added."""
        ...


@dataclass(frozen=True)
class Sublayers:
    """How the layers' results are added to the sum.

    Attributes:
        norm: makes a `ResidualNorm` from its name and the hidden size.
        closing: makes the linear layer that ends the attention, from its name, its input and its output size.
        feed_forward: makes the feed-forward part from its name, the hidden and the intermediate size.
    """

    norm: Callable[[GraphBuilder, str, int], ResidualNorm]
    closing: Callable[[GraphBuilder, str, int, int, LinearFactory], Branch]
    feed_forward: Callable[[GraphBuilder, str, int, int, LinearFactory], Branch]


class _AddedNorm:
    """An Add and a LayerNormalization.

    Not SkipLayerNormalization: on the CPU that is four times slower than the two.
    """

    def __init__(self, graph: GraphBuilder, name: str, features: int) -> None:
        self._graph, self._name = graph, name
        self._norm = LayerNorm(graph, name, features)

    def __call__(self, residual: Residual) -> tuple[ir.Value, ir.Value]:
        """See `ResidualNorm`."""
        x, update = residual
        if update is not None:
            with self._graph.scope(self._name):
                x = self._graph.op("Add", x, update.value)
        return self._norm(x), x


class _Closing:
    """A linear layer, whole."""

    def __init__(
        self, graph: GraphBuilder, name: str, in_features: int, out_features: int, linear: LinearFactory
    ) -> None:
        self._linear = linear(graph, name, in_features, out_features)

    def __call__(self, x: ir.Value) -> Update:
        """See `Branch`."""
        return Update(self._linear(x))


class _FeedForward:
    """The feed-forward part, whole."""

    def __init__(
        self, graph: GraphBuilder, name: str, hidden_size: int, intermediate_size: int, linear: LinearFactory
    ) -> None:
        self._feed_forward = FeedForward(graph, name, hidden_size, intermediate_size, linear)

    def __call__(self, x: ir.Value) -> Update:
        """See `Branch`."""
        return Update(self._feed_forward(x))


class _FusedNorm:
    """Sum, bias and normalization in one operator."""

    def __init__(self, graph: GraphBuilder, name: str, features: int) -> None:
        self._graph, self._name = graph, name
        self._norm = LayerNorm(graph, name, features)

    def __call__(self, residual: Residual) -> tuple[ir.Value, ir.Value]:
        """See `ResidualNorm`."""
        x, update = residual
        if update is None:
            return self._norm(x), x
        with self._graph.scope(self._name):
            normalized, mean, deviation, summed = self._graph.op_outputs(
                4,
                "SkipLayerNormalization",
                x,
                update.value,
                self._norm.gain,
                self._norm.bias,
                update.bias,
                domain=MICROSOFT,
                epsilon=LAYER_NORM_EPSILON,
            )
        # An output without a name is one that nobody wants.
        mean.name, deviation.name = "", ""
        return normalized, summed


class _Product:
    """A linear layer whose bias something else adds."""

    def __init__(self, graph: GraphBuilder, name: str, in_features: int, out_features: int) -> None:
        self._graph, self._name = graph, name
        self._weight = graph.parameter(f"{name}.weight", [out_features, in_features])
        self._bias = graph.parameter(f"{name}.bias", [out_features])

    def __call__(self, x: ir.Value) -> Update:
        """See `Branch`."""
        with self._graph.scope(self._name):
            return Update(self._graph.op("Gemm", x, self._weight, transB=1), self._bias)


def _fused_closing(
    graph: GraphBuilder, name: str, in_features: int, out_features: int, linear: LinearFactory
) -> _Product:
    del linear  # fused layers are of plain weights
    return _Product(graph, name, in_features, out_features)


class _FusedFeedForward:
    """Linear, exact GELU with the bias, linear."""

    def __init__(
        self, graph: GraphBuilder, name: str, hidden_size: int, intermediate_size: int, linear: LinearFactory
    ) -> None:
        del linear  # likewise
        self._graph, self._name = graph, name
        self._fc1 = _Product(graph, f"{name}.fc1", hidden_size, intermediate_size)
        self._fc2 = _Product(graph, f"{name}.fc2", intermediate_size, hidden_size)

    def __call__(self, x: ir.Value) -> Update:
        """See `Branch`."""
        product, bias = self._fc1(x)
        with self._graph.scope(self._name):
            return self._fc2(self._graph.op("BiasGelu", product, bias, domain=MICROSOFT))


PLAIN = Sublayers(norm=_AddedNorm, closing=_Closing, feed_forward=_FeedForward)
"""One operator after the other."""

FUSED = Sublayers(norm=_FusedNorm, closing=_fused_closing, feed_forward=_FusedFeedForward)
"""ONNX Runtime's operators that do several things at once; for weights that are not packed."""
