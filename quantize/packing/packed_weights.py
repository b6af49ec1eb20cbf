"""Packed weights of a graph: declared while it is built, computed when it is written."""

from collections.abc import Callable
from functools import partial

import numpy as np
import onnx_ir as ir

from biogpt_onnx.export.graph.builder import GraphBuilder
from biogpt_onnx.export.graph.weights import attach_lazily
from biogpt_onnx.quantize.bundle_weights import ReadWeight, Values
from biogpt_onnx.quantize.packing.protocol import Codes, Packing

Pack = Callable[[str, Packing, Values], tuple[Codes, Values]]
"""Way to quantize a weight, which is told its name, to the codes and scales of a packing."""


def pack_to_nearest(_: str, packing: Packing, weight: Values) -> tuple[Codes, Values]:
    """Quantizes each value to the nearest."""
    return packing.pack(weight)


class PackedWeights:
    """Record, made while a graph is built, of its parameters that are packed."""

    def __init__(self) -> None:
        self._sources: dict[str, tuple[str, Packing, int]] = {}
        self._last: tuple[tuple[str, Packing], tuple[Codes, Values]] | None = None

    def declare(  # noqa: PLR0913, PLR0917 -- a graph, a weight and its sizes, its packing, and the name of that
        self,
        graph: GraphBuilder,
        weight_name: str,
        packing: Packing,
        out_features: int,
        in_features: int,
        suffix: str = "",
    ) -> tuple[ir.Value, ir.Value]:
        """Declares a weight's codes and scales in the graph; layers that name the same weight share both.

        Args:
            graph: graph that is built.
            weight_name: name of the weight [out, in] that is packed.
            packing: way to pack it.
            out_features: rows of the weight.
            in_features: columns of the weight.
            suffix: what the parameters' names have behind the weight's, for a weight that is packed in two ways.

        Returns:
            The parameters of the codes and of the scales.
        """
        codes_shape, scales_shape = packing.shapes(out_features, in_features)
        names = (f"{weight_name}{suffix}.codes", f"{weight_name}{suffix}.scales")
        for part, name in enumerate(names):
            self._sources[name] = (weight_name, packing, part)
        codes = graph.parameter(names[0], codes_shape, packing.dtype)
        return codes, graph.parameter(names[1], scales_shape)

    def attach(self, model: ir.Model, read: ReadWeight, pack: Pack = pack_to_nearest) -> None:
        """Gives each parameter a lazy tensor: values are computed when the model is written, one at a time."""
        for name, parameter in model.graph.initializers.items():
            if parameter.const_value is None:
                attach_lazily(parameter, partial(self._tensor, name, read, pack))

    def _tensor(self, name: str, read: ReadWeight, pack: Pack) -> ir.TensorProtocol:
        if name not in self._sources:
            return ir.tensor(np.ascontiguousarray(read(name)))
        weight_name, packing, part = self._sources[name]
        # Codes and scales of a weight are written one after the other, and come out of one computation.
        if self._last is None or self._last[0] != (weight_name, packing):
            self._last = ((weight_name, packing), pack(weight_name, packing, read(weight_name)))
        return ir.tensor(self._last[1][part])
