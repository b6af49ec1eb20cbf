"""Graph building over ONNX IR: nodes are added by calls, parameters and constants declared by name."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
import onnx_ir as ir
from onnx_ir.tape import Tape

MICROSOFT = "com.microsoft"
"""Domain of ONNX Runtime's operators that ONNX does not have."""

# Opset 20 is the first with Gelu; IR version 10 can be read by onnxruntime 1.20 and later.
_OPSET_IMPORTS = {"": 20, MICROSOFT: 1}
_IR_VERSION = 10

Dimension = int | str
"""Dimension of a shape: its size, or its name where it varies."""

Attribute = int | float | str | Sequence[int]


class GraphBuilder:
    """Collects the nodes and initializers of one graph.

    A parameter is declared by its name and shape; its values are attached later (see `weights`), so that a graph can
    be built, inspected and tested without any weights.

    Attributes:
        dtype: type that the network computes in, which parameters have unless they name another.
        parameters: parameters declared so far, by name.
    """

    def __init__(self, dtype: ir.DataType = ir.DataType.FLOAT) -> None:
        self.dtype = dtype
        self.parameters: dict[str, ir.Value] = {}
        self._constants: dict[str, ir.Value] = {}
        self._inputs: list[ir.Value] = []
        self._defaults: list[ir.Value] = []  # the inputs that need not be given
        self._outputs: list[ir.Value] = []
        self._tape = Tape()
        self._scopes: list[str] = []
        self._names: Counter[str] = Counter()

    def input(self, name: str, dtype: ir.DataType, shape: Sequence[Dimension]) -> ir.Value:
        """Declares a graph input; dimensions that vary have names."""
        value = ir.Value(name=name, type=ir.TensorType(dtype), shape=ir.Shape(shape))
        self._inputs.append(value)
        return value

    def optional_input(self, name: str, default: npt.NDArray[Any]) -> ir.Value:
        """Declares a graph input that has this value unless the caller gives another."""
        value = self.input(name, ir.tensor(default).dtype, default.shape)
        value.const_value = ir.tensor(default, name=name)
        self._defaults.append(value)
        return value

    def output(self, value: ir.Value, name: str, dtype: ir.DataType, shape: Sequence[Dimension]) -> None:
        """Makes a value an output of the graph, with this name, type and shape."""
        value.name, value.type, value.shape = name, ir.TensorType(dtype), ir.Shape(shape)
        self._outputs.append(value)

    def parameter(self, name: str, shape: Sequence[int], dtype: ir.DataType | None = None) -> ir.Value:
        """Declares a weight and returns it; two layers that name the same weight share it."""
        if name not in self.parameters:
            self.parameters[name] = ir.Value(name=name, type=ir.TensorType(dtype or self.dtype), shape=ir.Shape(shape))
        return self.parameters[name]

    def constant(self, name: str, value: npt.NDArray[Any]) -> ir.Value:
        """Returns the constant of that name, a small tensor; declares it at the first call."""
        if name not in self._constants:
            tensor = ir.tensor(value, name=name)
            self._constants[name] = ir.Value(
                name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(value.shape), const_value=tensor
            )
        return self._constants[name]

    def stored_constant(self, tensor: ir.ExternalTensor) -> ir.Value:
        """Declares a constant whose values are in a file beside the graph."""
        if tensor.name is None:
            raise ValueError("a stored constant needs a name")
        value = ir.Value(name=tensor.name, type=ir.TensorType(tensor.dtype), shape=tensor.shape, const_value=tensor)
        self._constants[tensor.name] = value
        return value

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefixes the names of nodes made inside with their layer's name, which profiles and transforms rely on."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    def op(self, op_type: str, *inputs: ir.Value | None, domain: str = "", **attributes: Attribute) -> ir.Value:
        """Adds a node and returns its only output."""
        return self.op_outputs(1, op_type, *inputs, domain=domain, **attributes)[0]

    def op_outputs(
        self, count: int, op_type: str, *inputs: ir.Value | None, domain: str = "", **attributes: Attribute
    ) -> Sequence[ir.Value]:
        """Adds a node and returns its `count` outputs."""
        name = self._unique_name(op_type)
        suffixes = [""] if count == 1 else [f".{index}" for index in range(count)]
        outputs = [ir.Value(name=f"{name}.output{suffix}") for suffix in suffixes]
        return self._tape.op_multi_out(op_type, inputs, attributes, outputs=outputs, domain=domain, name=name)

    def build(self, name: str) -> ir.Model:
        """Returns the finished model, whose parameters have no values yet."""
        graph = ir.Graph(
            self._inputs,
            self._outputs,
            nodes=self._tape.nodes,
            initializers=[*self._defaults, *self._constants.values(), *self.parameters.values()],
            opset_imports=dict(_OPSET_IMPORTS),
            name=name,
        )
        return ir.Model(graph, ir_version=_IR_VERSION, producer_name="biogpt-onnx")

    def _unique_name(self, op_type: str) -> str:
        name = "/".join([*self._scopes, op_type])
        self._names[name] += 1
        return name if self._names[name] == 1 else f"{name}.{self._names[name]}"
