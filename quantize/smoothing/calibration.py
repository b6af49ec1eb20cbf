"""Calibration: the largest magnitudes of the inputs of a bundle's linear layers on text."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from biogpt_onnx.export.graph.builder import GraphBuilder
from biogpt_onnx.export.graph.causal_lm import build_causal_lm
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.export.graph.layers import Linear
from biogpt_onnx.quantize.bundle_weights import BundleWeights, Values
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import ClassificationHead
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.ort.protocols import InferenceSession
from biogpt_onnx.runtime.ort.providers import import_onnxruntime
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer

# The maxima of channels settle within the first few hundred tokens.
_MAX_SEQUENCES = 20
_MAX_TOKENS = 128

_SUFFIX = ".input_magnitude"


def input_magnitudes(
    folder: Path,
    architecture: Architecture,
    weights: BundleWeights,
    texts: Sequence[str],
    head: ClassificationHead | None = None,
) -> dict[str, Values]:
    """Measures the inputs of a float32 bundle's linear layers on texts.

    Args:
        folder: bundle's folder.
        architecture: network's shape.
        weights: bundle's weights.
        texts: passages, of which the first 20 that are not empty are read, 128 tokens of each.
        head: bundle's classification head; None for a language model.

    Returns:
        The largest magnitude of each feature of the input, float32 [in], by the linear layer's name.

    Raises:
        ConfigError: there is no text.
    """
    sequences = _sequences(folder, architecture, texts)
    session = _open(weights.data_folder, _observed_graph(architecture, weights, head))
    names = [value.name for value in session.get_outputs() if value.name.endswith(_SUFFIX)]
    magnitudes: dict[str, Values] = {}
    for ids in sequences:
        for name, found in zip(names, session.run(names, _inputs(architecture, ids)), strict=True):
            layer = name.removesuffix(_SUFFIX)
            magnitudes[layer] = np.maximum(magnitudes.get(layer, found), found)
    return magnitudes


class _ObservedLinear:
    """Linear layer that also outputs the largest magnitude of each feature of its input."""

    def __init__(self, graph: GraphBuilder, name: str, in_features: int, out_features: int) -> None:
        self._graph, self._name, self._in_features = graph, name, in_features
        self._linear = Linear(graph, name, in_features, out_features)

    def __call__(self, x: ir.Value) -> ir.Value:
        graph, over_rows = self._graph, self._graph.constant("over_rows", np.array([0]))
        with graph.scope(self._name):
            magnitude = graph.op("ReduceMax", graph.op("Abs", x), over_rows, keepdims=0)
        graph.output(magnitude, self._name + _SUFFIX, ir.DataType.FLOAT, [self._in_features])
        return self._linear(x)


def _observed_graph(architecture: Architecture, weights: BundleWeights, head: ClassificationHead | None) -> bytes:
    choices = LayerChoices(_ObservedLinear, LayerChoices.fp32(architecture).attention)
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


def _sequences(folder: Path, architecture: Architecture, texts: Sequence[str]) -> list[npt.NDArray[np.int64]]:
    config = folder / bundle.TOKENIZER_CONFIG_FILE
    tokenizer = BioGptTokenizer.from_files(
        folder / bundle.VOCAB_FILE,
        folder / bundle.MERGES_FILE,
        soft_prompt_size=architecture.soft_prompt_size,
        config=config if config.is_file() else None,
    )
    longest = min(_MAX_TOKENS, architecture.max_positions)
    with_text: Iterable[str] = (text for text in texts if text.strip())
    sequences = [tokenizer.encode(text)[:longest] for text, _ in zip(with_text, range(_MAX_SEQUENCES), strict=False)]
    if not sequences:
        raise ConfigError("calibration has no text: give at least one line of it, or none for the built-in text")
    return [np.array([ids], dtype=np.int64) for ids in sequences]


def _inputs(architecture: Architecture, ids: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
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
        bundle.LOGITS_INDICES: np.array([length - 1]),
    }
