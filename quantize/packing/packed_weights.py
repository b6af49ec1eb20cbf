"""Weights as codes and scales: what the graph declares, and how the values come about when it is written."""

from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from biogpt_onnx.export.graph.builder import GraphBuilder
from biogpt_onnx.quantize.bundle_weights import ReadWeight, Values

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.int8]


class Packing(Protocol):
    """A way to store a matrix [out, in] as codes of one byte and float32 scales."""

    @property
    def dtype(self) -> ir.DataType:
        """The codes' type, which says whether they have a sign."""
        ...

    def shapes(self, out_features: int, in_features: int) -> tuple[list[int], list[int]]:
        """The shapes of codes and scales."""
        ...

    def pack(self, weight: Values) -> tuple[Codes, Values]:
        """[out, in] to codes and scales."""
        ...


class PackedWeights:
    """Remembers, while a graph is built, which of its parameters are packed and how."""

    def __init__(self) -> None:
        self._sources: dict[str, tuple[str, Packing, int]] = {}
        self._last: tuple[str, tuple[Codes, Values]] | None = None

    def declare(
        self, graph: GraphBuilder, weight_name: str, packing: Packing, out_features: int, in_features: int
    ) -> tuple[ir.Value, ir.Value]:
        """Declares a weight's codes and scales; layers that name the same weight share both."""
        codes_shape, scales_shape = packing.shapes(out_features, in_features)
        names = (f"{weight_name}.codes", f"{weight_name}.scales")
        for part, name in enumerate(names):
            self._sources[name] = (weight_name, packing, part)
        codes = graph.parameter(names[0], codes_shape, packing.dtype)
        return codes, graph.parameter(names[1], scales_shape)

    def attach(self, model: ir.Model, read: ReadWeight) -> None:
        """Gives each parameter values that are computed when the model is written, one at a time, and not kept."""
        for name, parameter in model.graph.initializers.items():
            if parameter.const_value is not None:
                continue
            if parameter.dtype is None or not isinstance(parameter.shape, ir.Shape):
                raise ValueError(f"the graph's parameter {name} has no type or shape")
            parameter.const_value = ir.LazyTensor(
                partial(self._tensor, name, read), dtype=parameter.dtype, shape=parameter.shape, name=name
            )

    def _tensor(self, name: str, read: ReadWeight) -> ir.TensorProtocol:
        if name not in self._sources:
            return ir.tensor(np.ascontiguousarray(read(name)))
        weight_name, packing, part = self._sources[name]
        # Codes and scales of a weight are written one after the other, and come out of one computation.
        if self._last is None or self._last[0] != weight_name:
            self._last = (weight_name, packing.pack(read(weight_name)))
        return ir.tensor(self._last[1][part])
