"""The graph with which a piece of a prompt is read and other sequences step in one pass."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import biogpt_onnx
from biogpt_onnx.export.graph.causal_lm import build_mixed_graph
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import (
    MANIFEST_FILE,
    MIXED_MODEL_FILE,
    MODEL_FILE,
    WEIGHTS_FILE,
    ClassificationHead,
    check_files,
    read_manifest,
)
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.options import LoadOptions
from makers.bundles import export_with_head, write_manifest
from makers.checkpoints import tiny_architecture

CAPACITY = 300
LENGTHS = (3, 40, 77, 128, 5, 64, 11)


@pytest.fixture(scope="module", params=["fp32", "int8", "int4"])
def bundle(request: pytest.FixtureRequest, mini_by: Callable[[str], Path]) -> Path:
    return mini_by(request.param)


def session_of(bundle: Path, *, mixed_passes: bool) -> DecoderSession:
    return DecoderSession(bundle, read_manifest(bundle), LoadOptions(mixed_passes=mixed_passes))


def ids_of(length: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.random.default_rng((length, seed)).integers(4, 8000, (1, length))


# Pieces that end in an attention tile of one token are left out: no prompt is cut so.
@pytest.mark.parametrize(
    ("pieces", "steps"), [((128,), 1), ((64, 3), 2), ((2, 30), 3), ((5, 4, 127), 7), ((130,), 6), ((1,), 5)]
)
def test_all_logits_and_caches_are_to_the_last_bit_those_of_passes_apart(
    bundle: Path, pieces: tuple[int, ...], steps: int
) -> None:
    apart, mixed = session_of(bundle, mixed_passes=False), session_of(bundle, mixed_passes=True)
    caches = [session.new_cache(steps + 1, CAPACITY) for session in (apart, mixed)]
    for session, cache in zip((apart, mixed), caches, strict=True):
        for row in range(steps):
            session.forward(ids_of(LENGTHS[row]), cache.row(row))
    reading, fronts = [cache.row(steps) for cache in caches], [cache.front(steps) for cache in caches]
    for number, tokens in enumerate(pieces):
        piece, step_ids = ids_of(tokens, number), ids_of(steps, number).T.copy()
        is_last = number == len(pieces) - 1
        after_steps = apart.forward(step_ids, fronts[0])
        after_piece = apart.forward(piece, reading[0])
        expected = np.concatenate([after_steps, after_piece]) if is_last else after_steps
        found = mixed.read_and_step(piece, reading[1], step_ids, fronts[1], is_last=is_last)
        assert np.array_equal(found, expected)
        assert caches[0].lengths.tolist() == caches[1].lengths.tolist()
    for row in range(steps + 1):
        assert np.array_equal(caches[0].values(0, row), caches[1].values(0, row))
        assert np.array_equal(caches[0].values(1, row), caches[1].values(1, row))


def test_passes_of_one_kind_are_to_the_last_bit_those_of_the_first_graph(bundle: Path) -> None:
    apart, mixed = session_of(bundle, mixed_passes=False), session_of(bundle, mixed_passes=True)
    found = []
    for session in (apart, mixed):
        cache = session.new_cache(3, CAPACITY)
        prompts = [session.forward(ids_of(length), cache.row(row)) for row, length in enumerate((7, 130, 1))]
        step = session.forward(ids_of(3).T.copy(), cache)
        # Two branches behind a prompt, as beams are.
        tree = session.forward(
            ids_of(2),
            cache.row(0),
            position_ids=np.array([[8, 8]]),
            attention_bias=np.array([[[[0.0] * 9 + [-10000.0], [0.0] * 8 + [-10000.0, 0.0]]]], dtype=np.float32),
            logits_indices=np.arange(2),
        )
        states = session.hidden_states(ids_of(20), session.new_cache(1, CAPACITY), np.arange(20))
        found.append([*prompts, step, tree, states])
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))


def test_both_graphs_share_the_weights_on_the_disk(bundle: Path) -> None:
    graphs = [onnx.load(bundle / name, load_external_data=False).graph for name in (MODEL_FILE, MIXED_MODEL_FILE)]
    places = [
        {weight.name: {entry.key: entry.value for entry in weight.external_data} for weight in graph.initializer}
        for graph in graphs
    ]
    shared = {name for name, place in places[1].items() if place}
    assert shared == {name for name, place in places[0].items() if place}
    assert {places[1][name]["location"] for name in shared} == {WEIGHTS_FILE}
    assert all(places[0][name] == places[1][name] for name in shared)
    assert (bundle / MIXED_MODEL_FILE).stat().st_size < 100_000


def test_the_manifest_states_its_inputs_and_outputs_and_its_hash(bundle: Path, tmp_path: Path) -> None:
    graph, manifest = onnx.load(bundle / MIXED_MODEL_FILE, load_external_data=False).graph, read_manifest(bundle)
    assert manifest.mixed is not None
    defaults = {value.name for value in graph.initializer}
    assert [value.name for value in graph.input if value.name not in defaults] == [
        spec.name for spec in manifest.mixed.inputs
    ]
    assert [value.name for value in graph.output] == [spec.name for spec in manifest.mixed.outputs]
    for name in manifest.files:
        (tmp_path / name).write_bytes((bundle / name).read_bytes() + (b"x" if name == MIXED_MODEL_FILE else b""))
    with pytest.raises(BundleError, match=r"mixed\.onnx has"):
        check_files(tmp_path, manifest)


@pytest.mark.parametrize("recipe", ["int8-dynamic", "fp16"])
def test_bundles_whose_graph_others_make_or_that_gpus_run_have_none(
    recipe: str, mini_by: Callable[[str], Path]
) -> None:
    manifest = read_manifest(mini_by(recipe))
    assert manifest.mixed is None
    assert MIXED_MODEL_FILE not in manifest.files


def test_classifiers_have_none(tmp_path: Path) -> None:
    export_with_head(tmp_path / "bundle", ClassificationHead("sequence-classification", ("yes", "no")))
    assert read_manifest(tmp_path / "bundle").mixed is None


def test_a_bundle_without_it_as_earlier_versions_wrote_them_is_opened_as_it_is(
    mini_bundle: Path, tmp_path: Path
) -> None:
    fields = json.loads((mini_bundle / MANIFEST_FILE).read_text())
    del fields["mixed"], fields["files"][MIXED_MODEL_FILE]
    write_manifest(tmp_path, fields)
    for name in fields["files"]:
        (tmp_path / name).write_bytes((mini_bundle / name).read_bytes())
    kinds: list[str] = []
    with (
        biogpt_onnx.load(tmp_path, device="cpu", mixed_passes=True) as model,
        model.concurrent(on_pass=lambda report: kinds.append(report.kind)) as shared,
    ):
        assert shared.generate("Aspirin", max_new_tokens=3).text == model.generate("Aspirin", max_new_tokens=3).text
    assert kinds == ["read", "step", "step"]


def test_a_manifest_that_tells_of_the_graph_without_its_file_is_malformed(mini_bundle: Path, tmp_path: Path) -> None:
    text = (mini_bundle / MANIFEST_FILE).read_text()
    (tmp_path / MANIFEST_FILE).write_text(text.replace(f'"{MIXED_MODEL_FILE}"', '"other.onnx"'))
    with pytest.raises(BundleError, match=r"malformed \(files: mixed\.onnx is missing\)"):
        read_manifest(tmp_path)


def test_weights_are_shared_by_processes_with_the_same_answers(mini_bundle: Path, tmp_path: Path) -> None:
    options = LoadOptions(mixed_passes=True, share_weights=True, cache_folder=tmp_path)
    shared = DecoderSession(mini_bundle, read_manifest(mini_bundle), options)
    alone = session_of(mini_bundle, mixed_passes=True)
    found = []
    for session in (shared, alone):
        cache = session.new_cache(2, CAPACITY)
        session.forward(ids_of(9), cache.row(0))
        found.append(session.read_and_step(ids_of(30), cache.row(1), ids_of(1), cache.front(1), is_last=True))
    assert np.array_equal(found[0], found[1])
    # The first graph has an entry of its own.
    DecoderSession(mini_bundle, read_manifest(mini_bundle), dataclasses.replace(options, mixed_passes=False))
    assert len([entry for entry in tmp_path.iterdir() if entry.is_dir()]) == 2


def test_a_row_without_room_is_refused_before_anything_is_written(mini_bundle: Path) -> None:
    session = session_of(mini_bundle, mixed_passes=True)
    cache = session.new_cache(2, 10)
    session.forward(ids_of(10), cache.row(0))
    with pytest.raises(ValueError, match="the cache holds 10 tokens a row, 11 are needed"):
        session.read_and_step(ids_of(4), cache.row(1), ids_of(1), cache.front(1), is_last=False)
    assert cache.lengths.tolist() == [10, 0]


def test_it_is_built_of_the_same_weights() -> None:
    architecture = tiny_architecture(tied_head=False)
    choices = LayerChoices.fp32(architecture)
    model = build_mixed_graph(architecture, choices)
    attentions = [node for node in model.graph if node.op_type == "GroupQueryAttention"]
    assert len(attentions) == 2 * architecture.num_layers
