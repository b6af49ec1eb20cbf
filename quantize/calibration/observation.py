"""Observation of a float32 bundle's linear layers while it reads text."""

from collections.abc import Container, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from biogpt_onnx.export.graph.builder import Dimension, GraphBuilder
from biogpt_onnx.export.graph.causal_lm import build_causal_lm
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.export.graph.layers import Layer, Linear
from biogpt_onnx.quantize.bundle_weights import BundleWeights, Values
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import ClassificationHead
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.ort.protocols import InferenceSession
from biogpt_onnx.runtime.ort.providers import import_onnxruntime
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer

MAX_TOKENS = 128
"""Most tokens of a passage that are read."""

_SUFFIX = ".observed"

Ids = npt.NDArray[np.int64]
"""Token ids of a passage, [1, tokens]."""


class Observe(Protocol):
    """Part of a graph that sees the input of a linear layer."""

    def __call__(self, graph: GraphBuilder, x: ir.Value, in_features: int) -> tuple[ir.Value, list[Dimension]]:
        """Adds nodes over the input [rows, in]; returns the value to output, which no other has, and its shape."""
        ...


def largest_magnitudes(graph: GraphBuilder, x: ir.Value, in_features: int) -> tuple[ir.Value, list[Dimension]]:
    """Observes the largest magnitude of each feature, [in]."""
    over_rows = graph.constant("over_rows", np.array([0]))
    return graph.op("ReduceMax", graph.op("Abs", x), over_rows, keepdims=0), [in_features]


def whole_inputs(graph: GraphBuilder, x: ir.Value, in_features: int) -> tuple[ir.Value, list[Dimension]]:
    """Observes the input itself, [rows, in]."""
    return graph.op("Identity", x), ["rows", in_features]


class Observation:
    """A float32 bundle's graph that also outputs what is observed of each linear layer's input.

    Args:
        architecture: network's shape.
        weights: bundle's weights.
        observe: what to output of each input, such as `largest_magnitudes`.
        head: bundle's classification head; None for a language model.
        only: names of the linear layers that are observed; None for all.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: BundleWeights,
        observe: Observe,
        head: ClassificationHead | None = None,
        *,
        only: Container[str] | None = None,
    ) -> None:
        self._architecture = architecture
        self._session = _open(weights.data_folder, _observed_graph(architecture, weights, observe, head, only))
        self._names = [value.name for value in self._session.get_outputs() if value.name.endswith(_SUFFIX)]

    def passes(self, sequences: Sequence[Ids]) -> Iterator[dict[str, Values]]:
        """Yields what was observed while reading each sequence, by the linear layer's name."""
        layers = [name.removesuffix(_SUFFIX) for name in self._names]
        options = import_onnxruntime().RunOptions()
        # Layers behind the last one that is observed are not computed.
        options.only_execute_path_to_fetches = True
        for ids in sequences:
            found = self._session.run(self._names, _inputs(self._architecture, ids), options)
            yield dict(zip(layers, found, strict=True))


def token_ids(folder: Path, architecture: Architecture, texts: Sequence[str]) -> list[Ids]:
    """Returns the token ids of each text that is not empty, [1, tokens], cut to 128 tokens.

    Args:
        folder: bundle's folder.
        architecture: network's shape.
        texts: passages.
    """
    config = folder / bundle.TOKENIZER_CONFIG_FILE
    tokenizer = BioGptTokenizer.from_files(
        folder / bundle.VOCAB_FILE,
        folder / bundle.MERGES_FILE,
        soft_prompt_size=architecture.soft_prompt_size,
        config=config if config.is_file() else None,
    )
    longest = min(MAX_TOKENS, architecture.max_positions)
    return [np.array([tokenizer.encode(text)[:longest]], dtype=np.int64) for text in texts if text.strip()]


def _linear(  # noqa: PLR0913 -- a linear layer's four arguments, and what is observed of which
    graph: GraphBuilder,
    name: str,
    in_features: int,
    out_features: int,
    *,
    observe: Observe,
    only: Container[str] | None,
) -> Layer:
    if only is None or name in only:
        return _ObservedLinear(graph, name, in_features, out_features, observe=observe)
    return Linear(graph, name, in_features, out_features)


class _ObservedLinear:
    """Linear layer that also outputs what is observed of its input."""

    def __init__(
        self, graph: GraphBuilder, name: str, in_features: int, out_features: int, *, observe: Observe
    ) -> None:
        self._graph, self._name, self._in_features, self._observe = graph, name, in_features, observe
        self._linear = Linear(graph, name, in_features, out_features)

    def __call__(self, x: ir.Value) -> ir.Value:
        with self._graph.scope(self._name):
            observed, shape = self._observe(self._graph, x, self._in_features)
        self._graph.output(observed, self._name + _SUFFIX, ir.DataType.FLOAT, shape)
        return self._linear(x)


def _observed_graph(
    architecture: Architecture,
    weights: BundleWeights,
    observe: Observe,
    head: ClassificationHead | None,
    only: Container[str] | None,
) -> bytes:
    linear = partial(_linear, observe=observe, only=only)
    choices = LayerChoices(linear, LayerChoices.fp32(architecture).attention)
    model = build_causal_lm(architecture, choices, head)
    for name, parameter in model.graph.initializers.items():
        if parameter.const_value is None:
            # A reference into the bundle's file, so that the serialized graph holds no weights.
            parameter.const_value = weights.tensor(name)
    graph: bytes = ir.serde.serialize_model(model).SerializeToString()
    return graph


def _open(data_folder: Path, graph: bytes) -> InferenceSession:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(data_folder))
    # Prepacking would copy the weights.
    options.add_session_config_entry("session.disable_prepacking", "1")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _inputs(architecture: Architecture, ids: Ids) -> dict[str, npt.NDArray[Any]]:
    length = ids.shape[1]
    empty = np.zeros((1, architecture.num_heads, length, architecture.head_size), dtype=np.float32)
    caches = {
        bundle.past_name(layer, part): empty for layer in range(architecture.num_layers) for part in ("key", "value")
    }
    return caches | {
        bundle.INPUT_IDS: ids,
        bundle.POSITION_IDS: np.arange(length)[None],
        bundle.SEQLENS_K: np.array([length - 1], dtype=np.int32),
        bundle.TOTAL_SEQUENCE_LENGTH: np.array(length, dtype=np.int32),
        bundle.ATTENTION_BIAS: np.zeros((1, 1, length, length), dtype=np.float32),
        # All tokens go through the last layer, and one of them through the head.
        bundle.LOGITS_INDICES: np.arange(length),
        bundle.LOGITS_LIMIT: np.array([1]),
    }
