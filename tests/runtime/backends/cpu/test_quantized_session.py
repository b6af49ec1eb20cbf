"""Bundles whose sequences step over a cache in 8 bits: answers depend neither on their batch nor on cuts of prompts."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import biogpt_onnx
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu.quantized_cache import QuantizedCache
from biogpt_onnx.runtime.backends.cpu.quantized_session import QuantizedCacheSession, read_cache_scales
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import CACHE_SCALES_FILE, MANIFEST_FILE, read_manifest
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.options import LoadOptions
from conftest import MakeOnce

CAPACITY = 300
LENGTHS = (3, 40, 77, 128, 5, 64, 11, 130)
TEXT = "The patient was treated with aspirin and"


@pytest.fixture(scope="module", params=["int8", "int4"])
def recipe(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def bundle(recipe: str, mini_bundle: Path, make_once: MakeOnce) -> Path:
    chosen = dataclasses.replace(RECIPES[recipe], cache="int8")
    return make_once(f"cache-int8-{recipe}", lambda target: quantize_bundle(mini_bundle, target, chosen))


@pytest.fixture(scope="module")
def session(bundle: Path) -> QuantizedCacheSession:
    return open_session(bundle, LoadOptions())


def open_session(bundle: Path, options: LoadOptions) -> QuantizedCacheSession:
    manifest = read_manifest(bundle)
    return QuantizedCacheSession(
        DecoderSession(bundle, manifest, options), read_cache_scales(bundle, manifest.architecture)
    )


def ids_of(length: int, seed: int = 0) -> npt.NDArray[np.int64]:
    return np.random.default_rng((length, seed)).integers(4, 8000, (1, length))


def read(session: QuantizedCacheSession, *lengths: int, rows: int | None = None) -> QuantizedCache:
    cache = session.new_cache(rows or len(lengths), CAPACITY)
    for row, length in enumerate(lengths):
        session.forward(ids_of(length), cache.row(row))
    return cache


def steps(session: QuantizedCacheSession, cache: QuantizedCache, count: int) -> npt.NDArray[np.float32]:
    """Logits of steps of all rows, which go on with the same tokens, [rows, steps, vocab]."""
    rows = len(cache.lengths)
    return np.stack([session.forward_steps(np.full((rows, 1), 50 + step), cache) for step in range(count)], axis=1)


@pytest.mark.parametrize("rows", [2, 3, 5, 8])
def test_a_rows_steps_are_to_the_last_bit_those_of_the_row_alone(session: QuantizedCacheSession, rows: int) -> None:
    together = steps(session, read(session, *LENGTHS[:rows]), 3)
    for row, length in enumerate(LENGTHS[:rows]):
        np.testing.assert_array_equal(together[row], steps(session, read(session, length), 3)[0])


@pytest.mark.parametrize("cut", [2, 60, 128, 198])
def test_steps_do_not_depend_on_how_the_prompt_was_cut(session: QuantizedCacheSession, cut: int) -> None:
    ids = ids_of(200)
    cache = session.new_cache(1, CAPACITY)
    session.forward(ids[:, :cut], cache)
    session.forward(ids[:, cut:], cache)
    np.testing.assert_array_equal(steps(session, cache, 3), steps(session, read(session, 200), 3))


def test_drafts_are_verified_to_the_last_bit_as_steps_are_computed(session: QuantizedCacheSession) -> None:
    for length in (1, 17, 128, 150):
        one_by_one = steps(session, read(session, length), 6)[0]
        draft = 50 + np.arange(6)[None]
        together = session.forward_steps(draft, read(session, length), logits_indices=np.arange(6))
        np.testing.assert_allclose(together, one_by_one, atol=2e-5)


def test_a_piece_and_steps_in_one_pass_are_to_the_last_bit_those_of_passes_apart(bundle: Path) -> None:
    session = open_session(bundle, LoadOptions(mixed_passes=True))
    cache = read(session, 3, 40, 77, rows=4)
    expected = steps(session, read(session, 3, 40, 77), 2)
    reading, front = cache.row(3), cache.front(3)
    first = session.read_and_step(ids_of(200)[:, :64], reading, np.full((3, 1), 50), front, is_last=False)
    second = session.read_and_step(ids_of(200)[:, 64:], reading, np.full((3, 1), 51), front, is_last=True)
    np.testing.assert_array_equal(np.stack([first, second[:3]], axis=1), expected)
    np.testing.assert_array_equal(second[3:], session.forward(ids_of(200), session.new_cache(1, CAPACITY)))
    assert cache.lengths.tolist() == [5, 42, 79, 200]
    last = session.forward_steps(np.full((4, 1), 52), cache)
    np.testing.assert_array_equal(last[3:], session.forward_steps(np.array([[52]]), read(session, 200)))


def test_text_is_read_as_with_a_float32_cache(session: QuantizedCacheSession, bundle: Path, recipe: str) -> None:
    # The first graph, in which nothing is quantized but weights and activations.
    manifest = dataclasses.replace(read_manifest(bundle), cache=None)
    plain = DecoderSession(bundle, manifest)
    for length in (1, 130, 200):
        expected = plain.forward(ids_of(length), plain.new_cache(1, CAPACITY))
        found = session.forward(ids_of(length), session.new_cache(1, CAPACITY))
        np.testing.assert_array_equal(found, expected, err_msg=recipe)
    states = session.hidden_states(ids_of(20), session.new_cache(1, CAPACITY), np.arange(20))
    np.testing.assert_array_equal(states, plain.hidden_states(ids_of(20), plain.new_cache(1, CAPACITY), np.arange(20)))


def test_what_is_quantized_is_what_the_operator_would_write(session: QuantizedCacheSession) -> None:
    quantized = read(session, 100).to_step()
    stepped = session.new_cache(1, CAPACITY)
    session.forward_steps(ids_of(100), stepped)
    # Keys and values of the first layer depend on no attention. Ties may be rounded either way.
    ours, theirs = (cache.buffer[0, ..., :100, :].astype(int) for cache in (quantized, stepped.to_step()))
    different = ours != theirs
    assert different.mean() < 1e-3
    assert np.abs(ours - theirs).max() <= 1


def test_a_step_takes_a_quarter_of_the_memory(session: QuantizedCacheSession) -> None:
    assert 4 * session.new_cache(2, 64).to_step().buffer.nbytes == 2 * session.new_cache(1, 64).to_read().buffer.nbytes


def test_answers_are_those_of_each_way_to_ask(bundle: Path) -> None:
    texts = [TEXT, "Aspirin", "Treatment of hypertension in children with diabetes"]
    with biogpt_onnx.load(bundle, device="cpu", mixed_passes=True) as model:
        alone = [model.generate(text, max_new_tokens=20).token_ids for text in texts]
        assert [found.token_ids for found in model.generate(texts, max_new_tokens=20)] == alone
        drafted = model.generate(TEXT, max_new_tokens=20, prompt_lookup_num_tokens=4)
        assert drafted.token_ids == alone[0]
        prefix = model.prefix("The patient was")
        for _ in range(2):
            assert model.generate(TEXT, max_new_tokens=20, prefix=prefix).token_ids == alone[0]
        with model.concurrent(max_rows=3) as shared:
            assert shared.generate(TEXT, max_new_tokens=20).token_ids == alone[0]


def test_beams_and_scores_are_those_of_a_float32_cache(bundle: Path, tmp_path: Path) -> None:
    plain = tmp_path / "float32"
    shutil.copytree(bundle, plain)
    manifest = dataclasses.replace(read_manifest(bundle), cache=None, mixed=None, format_version=1)
    (plain / MANIFEST_FILE).write_text(manifest.to_json())
    found = []
    for folder in (bundle, plain):
        with biogpt_onnx.load(folder, device="cpu") as model:
            beams = model.generate(TEXT, max_new_tokens=12, num_beams=4)
            found.append((beams.token_ids, beams.score, model.score(TEXT).log_probabilities))
    assert found[0] == found[1]


@pytest.mark.parametrize("damage", ["missing", "short", "long", "zero", "denormal", "nan"])
def test_scales_that_cannot_be_used_are_refused(bundle: Path, damage: str, tmp_path: Path) -> None:
    scales = np.fromfile(bundle / CACHE_SCALES_FILE, dtype="<f4")
    altered = {
        "short": scales[:-1],
        "long": np.append(scales, 1),
        "zero": scales * 0,
        "denormal": scales * 0 + 1e-40,
        "nan": scales * np.nan,
    }
    if damage != "missing":
        altered[damage].astype("<f4").tofile(tmp_path / CACHE_SCALES_FILE)
    with pytest.raises(BundleError, match=CACHE_SCALES_FILE):
        read_cache_scales(tmp_path, read_manifest(bundle).architecture)
