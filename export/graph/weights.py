"""A checkpoint's tensors into the graph's parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from biogpt_onnx.export.checkpoint import names
from biogpt_onnx.export.graph.decoder import POSITION_EMBEDDING, TOKEN_EMBEDDING, UNTIED_HEAD
from biogpt_onnx.runtime.bundle.architecture import Architecture


class ReadableTensor(Protocol):
    """A tensor that is read when it is needed."""

    def read(self) -> npt.NDArray[np.float32]:
        """The values; each call reads them again."""
        ...


@dataclass(frozen=True)
class ParameterSource:
    """Where a parameter's rows come from: these tensors, one below the other, without the first `skip_rows` rows."""

    tensors: tuple[str, ...]
    skip_rows: int = 0

    def read(self, tensors: Mapping[str, ReadableTensor]) -> npt.NDArray[np.float32]:
        """The parameter's values."""
        parts = [tensors[name].read() for name in self.tensors]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return values[self.skip_rows :]


def parameter_sources(architecture: Architecture) -> dict[str, ParameterSource]:
    """For each of the graph's parameters, the checkpoint's tensors (by canonical name) that it is made of."""
    sources = {
        TOKEN_EMBEDDING: ParameterSource((names.EMBEDDING,)),
        POSITION_EMBEDDING: ParameterSource((names.POSITIONS,), skip_rows=names.POSITION_OFFSET),
    }
    for index in range(architecture.num_layers):
        layer = f"layers.{index}"
        for kind in ("weight", "bias"):
            attention = f"{layer}.self_attn"
            sources[f"{layer}.attention.qkv.{kind}"] = ParameterSource(
                tuple(f"{attention}.{part}_proj.{kind}" for part in "qkv")
            )
            for ours, theirs in _SAME.items():
                sources[f"{layer}.{ours}.{kind}"] = ParameterSource((f"{layer}.{theirs}.{kind}",))
    for kind in ("weight", "bias"):
        sources[f"final_norm.{kind}"] = ParameterSource((f"layer_norm.{kind}",))
    if not architecture.tied_head:
        sources[UNTIED_HEAD] = ParameterSource((names.HEAD,))
    return sources


_SAME = {
    "attention_norm": "self_attn_layer_norm",
    "attention.out": "self_attn.out_proj",
    "feed_forward_norm": "final_layer_norm",
    "feed_forward.fc1": "fc1",
    "feed_forward.fc2": "fc2",
}


def _read(source: ParameterSource, tensors: Mapping[str, ReadableTensor]) -> ir.TensorProtocol:
    return ir.tensor(source.read(tensors))


def attach_weights(model: ir.Model, architecture: Architecture, tensors: Mapping[str, ReadableTensor]) -> None:
    """Gives each parameter a tensor that is read when the model is written, one at a time, and not kept."""
    for name, source in parameter_sources(architecture).items():
        parameter = model.graph.initializers[name]
        if parameter.dtype is None or not isinstance(parameter.shape, ir.Shape):
            raise ValueError(f"the graph's parameter {name} has no type or shape")
        parameter.const_value = ir.LazyTensor(
            partial(_read, source, tensors),
            dtype=parameter.dtype,
            shape=parameter.shape,
            name=name,
        )
