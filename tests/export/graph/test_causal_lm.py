from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from biogpt_onnx.export.checkpoint.names import expected_shapes
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.export.graph.builder import GraphBuilder
from biogpt_onnx.export.graph.causal_lm import build_causal_lm
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.export.graph.layers import Linear
from biogpt_onnx.export.graph.weights import parameter_sources
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import LOGITS_LIMIT, MODEL_FILE, WEIGHTS_FILE, Manifest
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.options import LoadOptions
from makers.checkpoints import random_tensors, tiny_architecture, write_huggingface

BASE = Architecture(24, 1024, 16, 4096, 42384, 1024)


def build(architecture: Architecture) -> ir.Model:
    return build_causal_lm(architecture, LayerChoices.fp32(architecture))


@pytest.mark.parametrize("changes", [{}, {"tied_head": False}, {"scale_embedding": False}])
def test_every_weight_of_a_checkpoint_goes_into_the_graph_exactly_once(changes: dict[str, int]) -> None:
    architecture = tiny_architecture(**changes)
    sources = parameter_sources(architecture)
    used = [name for source in sources.values() for name in source.tensors]
    assert sorted(used) == sorted(expected_shapes(architecture))
    parameters = {name for name, value in build(architecture).graph.initializers.items() if value.const_value is None}
    assert set(sources) == parameters


def test_a_parameter_has_the_shape_of_the_weights_it_is_made_of() -> None:
    architecture = tiny_architecture()
    tensors = random_tensors(architecture)
    readable = {name: _Array(values) for name, values in tensors.items()}
    parameters = build(architecture).graph.initializers
    for name, source in parameter_sources(architecture).items():
        assert source.read(readable).shape == tuple(parameters[name].shape or ()), name


class _Array:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def read(self) -> np.ndarray:
        return self.values


def test_a_full_size_graph_is_built_without_any_weights() -> None:
    model = build(BASE)
    assert model.graph.initializers["embed_tokens.weight"].const_value is None
    assert sum(node.op_type == "GroupQueryAttention" for node in model.graph) == BASE.num_layers


def test_the_head_and_the_embedding_are_one_initializer() -> None:
    graph = build(BASE).graph
    users = {node.op_type for node, _ in graph.initializers["embed_tokens.weight"].uses()}
    assert users == {"Gather", "Gemm"}


def test_nodes_are_named_after_their_layer() -> None:
    names = [node.name or "" for node in build(tiny_architecture()).graph]
    assert len(set(names)) == len(names)
    assert "layers.1.feed_forward.fc2/Gemm" in names


def test_slow_fusions_of_the_optimizer_are_not_in_the_graph() -> None:
    assert all(node.op_type != "SkipLayerNormalization" for node in build(BASE).graph)


def test_another_precision_is_another_choice_of_layer() -> None:
    seen = []

    def recording(graph: GraphBuilder, name: str, in_features: int, out_features: int) -> Linear:
        seen.append(name)
        return Linear(graph, name, in_features, out_features)

    architecture = tiny_architecture()
    build_causal_lm(architecture, LayerChoices(recording, LayerChoices.fp32(architecture).attention))
    assert len(seen) == 4 * architecture.num_layers


@pytest.fixture(scope="module")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("tiny")
    checkpoint = open_checkpoint(write_huggingface(folder / "checkpoint", tiny_architecture()))
    return folder / "bundle", export_bundle(checkpoint, folder / "bundle")


def test_the_file_passes_the_onnx_checker_and_keeps_its_weights_outside(tiny_bundle: tuple[Path, Manifest]) -> None:
    folder, _ = tiny_bundle
    onnx.checker.check_model(folder / MODEL_FILE)
    proto = onnx.load(folder / MODEL_FILE, load_external_data=False)
    (embedding,) = [tensor for tensor in proto.graph.initializer if tensor.name == "embed_tokens.weight"]
    assert {entry.key: entry.value for entry in embedding.external_data}["location"] == WEIGHTS_FILE


def test_the_manifest_states_the_graphs_inputs_and_outputs(tiny_bundle: tuple[Path, Manifest]) -> None:
    folder, manifest = tiny_bundle
    graph = onnx.load(folder / MODEL_FILE, load_external_data=False).graph
    with_defaults = [value.name for value in graph.initializer if value.name in {each.name for each in graph.input}]
    assert with_defaults == [LOGITS_LIMIT]
    assert [*(spec.name for spec in manifest.inputs), LOGITS_LIMIT] == [value.name for value in graph.input]
    assert [spec.name for spec in manifest.outputs] == [value.name for value in graph.output]
    by_name = {spec.name: spec for spec in (*manifest.inputs, *manifest.outputs)}
    assert by_name["attention_bias"].shape == ("bias_batch", "bias_heads", "sequence", "total")
    assert by_name["logits"].dtype == "float32"


def test_logits_are_computed_where_they_are_asked_for_and_nowhere_else(tiny_bundle: tuple[Path, Manifest]) -> None:
    session = DecoderSession(*tiny_bundle)
    ids = np.array([[2, 30, 40, 50]])
    every = session.forward(ids, session.new_cache(1, 4), logits_indices=np.arange(4))
    some = session.forward(ids, session.new_cache(1, 4), logits_indices=np.array([2, 0]))
    none = session.forward(ids, session.new_cache(1, 4), logits_indices=np.empty(0, dtype=np.int64))
    np.testing.assert_allclose(some, every[[2, 0]], atol=1e-5)
    assert none.shape == (0, 311)


def test_a_cache_serves_hidden_states_and_logits_in_turns(tiny_bundle: tuple[Path, Manifest]) -> None:
    session = DecoderSession(*tiny_bundle)
    ids = np.array([[2, 30, 40, 50, 60, 70]])
    every = session.forward(ids, session.new_cache(1, 6), logits_indices=np.arange(6))
    states = session.hidden_states(ids, session.new_cache(1, 6), np.arange(6))
    assert states.shape == (6, 72)
    cache = session.new_cache(1, 6)
    session.forward(ids[:, :2], cache)
    part = session.hidden_states(ids[:, 2:4], cache, np.array([1]))
    kept = part.copy()
    last = session.forward(ids[:, 4:], cache, logits_indices=np.arange(2))
    np.testing.assert_allclose(part, states[3:4], atol=1e-5)
    np.testing.assert_allclose(last, every[4:], atol=1e-5)
    # The second pass wrote nothing to the memory of the first one's result.
    assert part.tobytes() == kept.tobytes()


def test_the_cache_is_updated_in_place(tiny_bundle: tuple[Path, Manifest]) -> None:
    session = DecoderSession(*tiny_bundle)
    cache = session.new_cache(1, 8)
    session.forward(np.array([[2, 30, 40]]), cache)
    written = np.abs(cache.buffer).sum(axis=(0, 1, 2, 3, 5))  # by position
    assert np.all(written[:3] > 0)
    assert np.all(written[3:] == 0)


def test_one_cache_can_hold_a_tree_of_continuations(tiny_bundle: tuple[Path, Manifest]) -> None:
    # What beams and drafts stand on: two branches after one prompt, told apart by the bias and the positions alone.
    session = DecoderSession(*tiny_bundle)
    prompt, branches = [2, 30, 40], [[50, 51], [60, 61]]
    cache = session.new_cache(1, 7)
    session.forward(np.array([prompt]), cache)
    for depth in range(2):
        total = len(prompt) + 2 * (depth + 1)
        bias = np.full((1, 1, 2, total), -np.inf, dtype=np.float32)
        for row in range(2):
            bias[0, 0, row, : len(prompt)] = 0
            bias[0, 0, row, [len(prompt) + 2 * ancestor + row for ancestor in range(depth + 1)]] = 0
        logits = session.forward(
            np.array([[branch[depth] for branch in branches]]),
            cache,
            position_ids=np.full((1, 2), len(prompt) + depth),
            attention_bias=bias,
            logits_indices=np.arange(2),
        )
    for row, branch in enumerate(branches):
        alone = session.forward(np.array([prompt + branch]), session.new_cache(1, 5))
        np.testing.assert_allclose(logits[row], alone[0], atol=1e-4)


def test_more_tokens_than_the_cache_holds_are_refused(tiny_bundle: tuple[Path, Manifest]) -> None:
    session = DecoderSession(*tiny_bundle)
    with pytest.raises(ValueError, match="holds 2 tokens"):
        session.forward(np.array([[2, 30, 40]]), session.new_cache(1, 2))


def test_weights_used_from_the_file_give_the_same_answer(tiny_bundle: tuple[Path, Manifest]) -> None:
    ids = np.array([[2, 30, 40]])
    answers = []
    for prepack in (True, False):
        session = DecoderSession(*tiny_bundle, LoadOptions(prepack=prepack, threads=1))
        answers.append(session.forward(ids, session.new_cache(1, 3)))
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-5)
