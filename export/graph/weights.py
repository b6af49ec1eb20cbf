"""Mapping of a checkpoint's tensors to the graph's parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from biogpt_onnx.export.checkpoint import names
from biogpt_onnx.export.graph.decoder import POSITION_EMBEDDING, TOKEN_EMBEDDING, UNTIED_HEAD
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.classification_head import ClassificationHead

# A decoder layer's normalizations: names in the graph and in a checkpoint.
_NORMS = {"attention_norm": "self_attn_layer_norm", "feed_forward_norm": "final_layer_norm"}


class ReadableTensor(Protocol):
    """Tensor that is read when it is needed."""

    def read(self) -> npt.NDArray[np.float32]:
        """Reads the values anew at each call."""
        ...


@dataclass(frozen=True)
class ParameterSource:
    """Origin of a parameter's rows.

    Attributes:
        tensors: canonical names of the checkpoint's tensors that are the parameter, one below the other.
        skip_rows: rows at the top that are left out.
    """

    tensors: tuple[str, ...]
    skip_rows: int = 0

    def read(self, tensors: Mapping[str, ReadableTensor]) -> npt.NDArray[np.float32]:
        """Reads the parameter's values out of the checkpoint's tensors by canonical name."""
        parts = [tensors[name].read() for name in self.tensors]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return values[self.skip_rows :]


def parameter_sources(architecture: Architecture, head: ClassificationHead | None = None) -> dict[str, ParameterSource]:
    """Returns the origin of each of the graph's parameters, by the parameter's name."""
    sources = {
        TOKEN_EMBEDDING: ParameterSource((names.EMBEDDING,)),
        POSITION_EMBEDDING: ParameterSource((names.POSITIONS,), skip_rows=names.POSITION_OFFSET),
    }
    for index in range(architecture.num_layers):
        layer = f"layers.{index}"
        for kind in ("weight", "bias"):
            for linear, parts in names.checkpoint_linears(architecture, index).items():
                sources[f"{linear.name}.{kind}"] = ParameterSource(tuple(f"{part}.{kind}" for part in parts))
            for ours, theirs in _NORMS.items():
                sources[f"{layer}.{ours}.{kind}"] = ParameterSource((f"{layer}.{theirs}.{kind}",))
    for kind in ("weight", "bias"):
        sources[f"final_norm.{kind}"] = ParameterSource((f"layer_norm.{kind}",))
    if head is not None:
        return sources | {name: ParameterSource((name,)) for name in names.head_shapes(architecture, head)}
    if not architecture.tied_head:
        sources[UNTIED_HEAD] = ParameterSource((names.HEAD,))
    return sources


def _read(source: ParameterSource, tensors: Mapping[str, ReadableTensor]) -> ir.TensorProtocol:
    return ir.tensor(source.read(tensors))


def attach_weights(
    model: ir.Model,
    architecture: Architecture,
    tensors: Mapping[str, ReadableTensor],
    head: ClassificationHead | None = None,
) -> None:
    """Gives each parameter a lazy tensor: values are read when the model is written, one at a time, and not kept."""
    for name, source in parameter_sources(architecture, head).items():
        attach_lazily(model.graph.initializers[name], partial(_read, source, tensors))


def attach_lazily(parameter: ir.Value, read: Callable[[], ir.TensorProtocol]) -> None:
    """Gives a parameter a lazy tensor: `read` is called when the model is written, and its result not kept."""
    if parameter.dtype is None or not isinstance(parameter.shape, ir.Shape):
        raise ValueError(f"the graph's parameter {parameter.name} has no type or shape")
    parameter.const_value = ir.LazyTensor(read, dtype=parameter.dtype, shape=parameter.shape, name=parameter.name)
