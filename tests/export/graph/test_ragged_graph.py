"""The graph in which each row of a batch gets any number of tokens in one pass."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest

import biogpt_onnx
from biogpt_onnx.export.graph.causal_lm import build_ragged_graph
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.runtime.backends.cpu import opened_graph
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import MANIFEST_FILE, MODEL_FILE, RAGGED_MODEL_FILE, WEIGHTS_FILE, read_manifest
from biogpt_onnx.runtime.options import LoadOptions
from makers.bundles import write_manifest
from makers.checkpoints import tiny_architecture

CAPACITY = 420
BEFORE = (3, 40, 77, 128, 5, 64, 11)
Ids = npt.NDArray[np.int64]


@pytest.fixture(scope="module", params=["fp32", "int8", "int4"])
def bundle(request: pytest.FixtureRequest, mini_by: Callable[[str], Path]) -> Path:
    return mini_by(request.param)


def session_of(bundle: Path, *, ragged: bool = True) -> DecoderSession:
    manifest = read_manifest(bundle)
    session = DecoderSession(bundle, manifest if ragged else dataclasses.replace(manifest, ragged=None))
    assert session.is_ragged == ragged
    return session


def ids_of(length: int, seed: int = 0) -> Ids:
    return np.random.default_rng((length, seed)).integers(4, 8000, (1, length))


def filled(session: DecoderSession, rows: int, before: tuple[int, ...] = BEFORE) -> KeyValueCache:
    cache = session.new_cache(rows, CAPACITY)
    for row in range(rows):
        session.forward(ids_of(before[row]), cache.row(row))
    return cache


def padded(rows: list[Ids]) -> tuple[Ids, Ids]:
    """Rows of ids [1, tokens] as one array, and the number of tokens of each."""
    counts = np.array([row.shape[1] for row in rows])
    ids = np.zeros((len(rows), counts.max()), dtype=np.int64)
    for row, tokens in enumerate(rows):
        ids[row, : tokens.shape[1]] = tokens
    return ids, counts


# Rows of one token beside others, and those that end in an attention tile of one, are left out: no row is read so.
@pytest.mark.parametrize(
    "counts", [(2, 5), (5, 5, 5, 5), (2, 3, 4, 5, 6, 7, 8), (128, 130, 2), (64, 127, 128, 5), (1, 1, 1)]
)
def test_all_logits_and_caches_are_to_the_last_bit_those_of_rows_alone(bundle: Path, counts: tuple[int, ...]) -> None:
    first, ragged = session_of(bundle, ragged=False), session_of(bundle)
    caches = [filled(session, len(counts)) for session in (first, ragged)]
    for step in range(2):
        rows = [ids_of(count, step * 10 + row) for row, count in enumerate(counts)]
        ids, num_tokens = padded(rows)
        found = ragged.forward(ids, caches[1], num_tokens=num_tokens)
        expected = [first.forward(tokens, caches[0].row(row)) for row, tokens in enumerate(rows)]
        assert np.array_equal(found, np.concatenate(expected))
        assert caches[0].lengths.tolist() == caches[1].lengths.tolist()
    for row in range(len(counts)):
        for layer in range(2):
            assert np.array_equal(caches[0].values(layer, row), caches[1].values(layer, row))


def test_prompts_are_read_together_as_each_alone(bundle: Path) -> None:
    first, ragged = session_of(bundle, ragged=False), session_of(bundle)
    rows = [ids_of(length, 5) for length in (128, 60, 2, 127)]
    ids, num_tokens = padded(rows)
    found = ragged.forward(ids, ragged.new_cache(4, CAPACITY), num_tokens=num_tokens)
    expected = [first.forward(tokens, first.new_cache(1, CAPACITY)) for tokens in rows]
    assert np.array_equal(found, np.concatenate(expected))


def test_padding_beyond_the_last_position_is_no_error(mini_bundle: Path) -> None:
    session = session_of(mini_bundle)
    cache = session.new_cache(2, session.max_positions + 30)
    session.forward(ids_of(session.max_positions - 3), cache.row(0))
    session.forward(ids_of(9), cache.row(1))
    ids, num_tokens = padded([ids_of(2), ids_of(30)])
    assert np.isfinite(session.forward(ids, cache, num_tokens=num_tokens)).all()
    assert cache.lengths.tolist() == [session.max_positions - 1, 39]


def test_passes_of_unpadded_rows_are_to_the_last_bit_those_of_the_first_graph(bundle: Path) -> None:
    found = []
    for session in (session_of(bundle, ragged=False), session_of(bundle)):
        cache = session.new_cache(3, CAPACITY)
        prompts = [session.forward(ids_of(length), cache.row(row)) for row, length in enumerate((7, 130, 1))]
        step = session.forward(ids_of(3).T.copy(), cache)
        # Two branches behind a prompt, as beams are.
        tree = session.forward(
            ids_of(2),
            cache.row(0),
            position_ids=np.array([[8, 8]]),
            attention_bias=np.array([[[[0.0] * 9 + [-np.inf], [0.0] * 8 + [-np.inf, 0.0]]]], dtype=np.float32),
            logits_indices=np.arange(2),
        )
        states = session.hidden_states(ids_of(20), session.new_cache(1, CAPACITY), np.arange(20))
        found.append([*prompts, step, tree, states])
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))


def test_padding_without_the_graph_is_refused_before_anything_is_written(mini_bundle: Path) -> None:
    session = session_of(mini_bundle, ragged=False)
    cache = filled(session, 2)
    with pytest.raises(ValueError, match="only the ragged graph takes"):
        session.forward(*padded([ids_of(2), ids_of(3)])[:1], cache, num_tokens=np.array([2, 3]))
    assert cache.lengths.tolist() == list(BEFORE[:2])


def test_a_row_without_room_is_refused_before_anything_is_written(mini_bundle: Path) -> None:
    session = session_of(mini_bundle)
    cache = session.new_cache(2, 10)
    session.forward(ids_of(7), cache.row(0))
    # The operator wants room for padding, too.
    ids, num_tokens = padded([ids_of(2), ids_of(4)])
    with pytest.raises(ValueError, match="the cache holds 10 tokens a row, 11 are needed"):
        session.forward(ids, cache, num_tokens=num_tokens)
    assert cache.lengths.tolist() == [7, 0]


def weights_of(path: Path) -> dict[str, dict[str, str]]:
    """Where each weight of a graph lies."""
    graph = onnx.load(path, load_external_data=False).graph
    return {
        weight.name: {entry.key: entry.value for entry in weight.external_data}
        for weight in graph.initializer
        if weight.external_data
    }


def test_the_graphs_share_the_weights_on_the_disk(bundle: Path) -> None:
    places = weights_of(bundle / RAGGED_MODEL_FILE)
    assert places == weights_of(bundle / MODEL_FILE)
    assert {place["location"] for place in places.values()} == {WEIGHTS_FILE}
    assert (bundle / RAGGED_MODEL_FILE).stat().st_size < 100_000


@pytest.mark.parametrize("recipe", ["int8-dynamic", "fp16"])
def test_bundles_whose_graph_others_make_or_that_gpus_run_have_none(
    recipe: str, mini_by: Callable[[str], Path]
) -> None:
    manifest = read_manifest(mini_by(recipe))
    assert manifest.ragged is None
    assert RAGGED_MODEL_FILE not in manifest.files


def test_a_bundle_without_it_as_earlier_versions_wrote_them_answers_the_same(mini_bundle: Path, tmp_path: Path) -> None:
    fields = json.loads((mini_bundle / MANIFEST_FILE).read_text())
    del fields["ragged"], fields["files"][RAGGED_MODEL_FILE]
    write_manifest(tmp_path, fields)
    for name in fields["files"]:
        (tmp_path / name).write_bytes((mini_bundle / name).read_bytes())
    prompts = ["Aspirin", "The patient was given lithium"]
    found = []
    for folder in (mini_bundle, tmp_path):
        with biogpt_onnx.load(folder, device="cpu") as model:
            found.append([answer.sequences for answer in model.generate(prompts, num_beams=3, max_new_tokens=8)])
    assert found[0] == found[1]


def test_an_older_onnx_runtime_runs_the_first_graph(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened_graph, "is_outdated", lambda _: True)
    assert not DecoderSession(mini_bundle, read_manifest(mini_bundle)).is_ragged


def test_rows_that_may_depend_on_one_another_are_never_padded(
    mini_bundle: Path, mini_by: Callable[[str], Path]
) -> None:
    manifest = read_manifest(mini_bundle)
    assert not DecoderSession(mini_bundle, manifest, LoadOptions(prepack=False)).is_ragged
    weights = mini_by("int8-weights")
    assert not DecoderSession(weights, read_manifest(weights)).is_ragged


def test_attention_alone_takes_the_numbers_of_tokens() -> None:
    architecture = tiny_architecture(tied_head=False)
    model = build_ragged_graph(architecture, LayerChoices.fp32(architecture))
    readers = [node.op_type for node in model.graph if any(v and v.name == "query_seqlens" for v in node.inputs)]
    assert readers == ["GroupQueryAttention"] * architecture.num_layers
