"""The graph for GPUs: the same network in fewer operators, and the likeliest tokens."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.export.graph.causal_lm import build_causal_graph
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.export.graph.sublayers import FUSED, PLAIN
from biogpt_onnx.export.graph.weights import attach_weights
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import CAUSAL_MODEL_FILE, MODEL_FILE, WEIGHTS_FILE, read_manifest
from biogpt_onnx.runtime.errors import BundleError
from makers.checkpoints import random_tensors, tiny_architecture, write_huggingface
from makers.half_emulation import emulated_graph

IDS = np.array([[2, 30, 40, 50, 60, 301], [2, 7, 9, 11, 13, 15]])
CAPACITY = 12
# All have kernels in ONNX Runtime's CUDA provider for the types that they are given here, but the Concat: it computes a
# shape and belongs on the CPU.
OPERATORS = {
    *("Add", "BiasGelu", "Cast", "Concat", "Equal", "Exp", "Gather", "Gemm", "GroupQueryAttention"),
    *("LayerNormalization", "Log", "Mul", "Neg", "ReduceMax", "ReduceMin", "ReduceSum", "Reshape", "Shape"),
    *("SkipLayerNormalization", "Sub", "Where"),
}


def run(path: Path, ids: npt.NDArray[np.int64], indices: list[int]) -> list[Any]:
    """Logits, best ids and their log-probabilities of a float32 causal graph, all of the ids read at once."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    batch, sequence = ids.shape
    cache = {
        value.name: np.zeros((batch, value.shape[1], CAPACITY, value.shape[3]), dtype=np.float32)
        for value in session.get_inputs()
        if value.name.startswith("past")
    }
    inputs = {
        "input_ids": ids,
        "position_ids": np.broadcast_to(np.arange(sequence), ids.shape),
        "total_sequence_length": np.array(sequence, dtype=np.int32),
        "logits_indices": np.array(indices),
    }
    found: list[Any] = session.run(["logits", "best_ids", "best_log_probabilities"], inputs | cache)
    return found


@pytest.mark.parametrize("sublayers", [FUSED, PLAIN], ids=["fused", "plain"])
@pytest.mark.parametrize("changes", [{}, {"tied_head": False}, {"soft_prompt_size": 9}, {"scale_embedding": False}])
def test_it_computes_what_the_other_graph_computes(changes: dict[str, int], sublayers: Any, tmp_path: Path) -> None:
    architecture = tiny_architecture(**changes)
    source = open_checkpoint(write_huggingface(tmp_path / "checkpoint", architecture, random_tensors(architecture)))
    choices = dataclasses.replace(LayerChoices.fp32(architecture), sublayers=sublayers)
    model = build_causal_graph(architecture, choices)
    attach_weights(model, architecture, source.tensors)
    ir.save(model, tmp_path / "causal.onnx")
    export_bundle(source, tmp_path / "bundle")
    session = DecoderSession(tmp_path / "bundle", read_manifest(tmp_path / "bundle"))
    expected = session.forward(IDS, session.new_cache(2, CAPACITY), logits_indices=np.array([5, 8]))
    logits, *_ = run(tmp_path / "causal.onnx", IDS, [5, 8])
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module", params=["fp16", "bf16"])
def half(request: pytest.FixtureRequest, mini_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("causal") / str(request.param)
    quantize_bundle(mini_bundle, target, RECIPES[request.param])
    return target


def test_it_has_the_operators_that_run_on_gpus_and_no_attention_bias(half: Path) -> None:
    graph = onnx.load(half / CAUSAL_MODEL_FILE, load_external_data=False).graph
    assert {node.op_type for node in graph.node} == OPERATORS
    assert "attention_bias" not in {value.name for value in graph.input}
    attentions = [node for node in graph.node if node.op_type == "GroupQueryAttention"]
    assert len(attentions) == read_manifest(half).architecture.num_layers
    # Behind the rotation's inputs, which are not there, nothing is given.
    assert all(
        [name for name in node.input if name] == list(node.input[:1]) + list(node.input[3:7]) for node in attentions
    )


def test_a_layer_takes_no_more_than_ten_operators(half: Path) -> None:
    graph = onnx.load(half / CAUSAL_MODEL_FILE, load_external_data=False).graph
    kinds = [node.op_type for node in graph.node if node.name.startswith("layers.1.")]
    assert sorted(kind for kind in kinds if kind != "Reshape") == sorted(
        ["SkipLayerNormalization"] * 2 + ["Gemm"] * 4 + ["BiasGelu", "GroupQueryAttention"]
    )


def test_both_graphs_share_the_weights_on_the_disk(half: Path) -> None:
    graphs = [onnx.load(half / name, load_external_data=False).graph for name in (MODEL_FILE, CAUSAL_MODEL_FILE)]
    places = [
        {weight.name: {entry.key: entry.value for entry in weight.external_data} for weight in graph.initializer}
        for graph in graphs
    ]
    shared = [name for name, place in places[1].items() if place]
    assert {places[1][name]["location"] for name in shared} == {WEIGHTS_FILE}
    assert all(places[0][name] == places[1][name] for name in shared)
    assert (half / CAUSAL_MODEL_FILE).stat().st_size < 100_000
    assert not {file.name for file in half.iterdir()} - read_manifest(half).files.keys() - {"bundle.json"}


def test_the_manifest_states_its_inputs_and_outputs(half: Path) -> None:
    graph, causal = onnx.load(half / CAUSAL_MODEL_FILE, load_external_data=False).graph, read_manifest(half).causal
    assert causal is not None
    assert [value.name for value in graph.input] == [spec.name for spec in causal.inputs]
    assert [value.name for value in graph.output] == [spec.name for spec in causal.outputs]


def test_rounded_after_every_operation_it_still_computes_the_same(
    half: Path, mini_bundle: Path, tmp_path: Path
) -> None:
    # In bfloat16 there is no other way to run it here.
    onnx.save(emulated_graph(half / CAUSAL_MODEL_FILE), tmp_path / "causal.onnx")
    ids = np.random.default_rng(0).integers(4, 8000, (1, CAPACITY))
    session = DecoderSession(mini_bundle, read_manifest(mini_bundle))
    expected = session.forward(ids, session.new_cache(1, CAPACITY), logits_indices=np.arange(CAPACITY))
    logits, *_ = run(tmp_path / "causal.onnx", ids, list(range(CAPACITY)))
    error = np.sqrt(np.square(logits - expected).mean()) / expected.std()
    assert 1e-5 < error < {"fp16": 0.002, "bf16": 0.015}[half.name]


def test_a_float32_bundle_has_none(mini_bundle: Path) -> None:
    assert read_manifest(mini_bundle).causal is None
    assert not (mini_bundle / CAUSAL_MODEL_FILE).exists()


def test_a_manifest_that_tells_of_a_graph_without_its_file_is_malformed(half: Path, tmp_path: Path) -> None:
    text = (half / "bundle.json").read_text()
    tmp_path.joinpath("bundle.json").write_text(text.replace(f'"{CAUSAL_MODEL_FILE}"', '"other.onnx"'))
    with pytest.raises(BundleError, match=r"malformed \(files: causal\.onnx is missing\)"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("what", ["any logits", "equal logits", "no numbers"])
def test_the_best_token_is_the_first_of_the_likeliest(what: str, tmp_path: Path) -> None:
    architecture = tiny_architecture(tied_head=False)
    tensors = random_tensors(architecture)
    if what == "equal logits":
        # Every row of the head stands in it twice.
        half = len(tensors["output_projection.weight"]) // 2
        tensors["output_projection.weight"][half : 2 * half] = tensors["output_projection.weight"][:half]
    source = open_checkpoint(write_huggingface(tmp_path / "checkpoint", architecture, tensors))
    model = build_causal_graph(architecture, LayerChoices.fp32(architecture))
    attach_weights(model, architecture, source.tensors)
    if what == "no numbers":
        weight = model.graph.initializers["output_projection.weight"]
        weight.const_value = ir.tensor(np.full([architecture.vocab_size, architecture.hidden_size], np.float32("nan")))
    ir.save(model, tmp_path / "causal.onnx")
    logits, ids, log_probabilities = run(tmp_path / "causal.onnx", IDS, [5, 8, 11])
    assert ids.shape == log_probabilities.shape == (3, 1)
    if what == "no numbers":
        assert ids.tolist() == [[architecture.vocab_size - 1]] * 3
        return
    assert np.array_equal(ids[:, 0], logits.argmax(axis=-1))
    exact = logits.astype(np.float64)
    expected = exact.max(axis=-1) - np.log(np.exp(exact).sum(axis=-1))
    np.testing.assert_allclose(log_probabilities[:, 0], expected, rtol=1e-4, atol=1e-5)
