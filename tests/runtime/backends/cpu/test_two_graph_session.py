"""Bundles that read by one graph and step by another, held against two bundles that have one of the graphs each."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

import biogpt_onnx
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu import opened_graph
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.backends.cpu.trees.tree_beams import TreeBeams
from biogpt_onnx.runtime.backends.registry import open_backend
from biogpt_onnx.runtime.bundle import STEPS_MODEL_FILE, read_manifest
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.errors import BundleError, ProviderError
from biogpt_onnx.runtime.options import LoadOptions
from conftest import MakeOnce

TEXT = "The patient was treated with aspirin and"
NEW = 12
CAPACITY = 500


class Bundles(NamedTuple):
    """The bundle of both graphs, and a bundle of each graph alone."""

    both: Path
    reading: Path
    steps: Path


@pytest.fixture(scope="module")
def bundles(mini_bundle: Path, mini_by: Callable[[str], Path], make_once: MakeOnce) -> Bundles:
    # Embedding and head are those of int8 in both graphs.
    recipe = dataclasses.replace(RECIPES["int4"], table=RECIPES["int8-int4"].table)
    steps = make_once("two-graphs-int4-rows", lambda target: quantize_bundle(mini_bundle, target, recipe))
    return Bundles(mini_by("int8-int4"), mini_by("int8"), steps)


def opened(folder: Path) -> DecoderSession:
    return DecoderSession(folder, read_manifest(folder))


def ids_of(length: int) -> list[int]:
    return [2, *np.random.default_rng(length).integers(4, 8000, length - 1).tolist()]


def read_by(session: DecoderSession, ids: list[int]) -> tuple[npt.NDArray[np.float32], KeyValueCache]:
    cache = session.new_cache(1, CAPACITY)
    return session.forward(np.array([ids]), cache), cache


def copied(session: DecoderSession, cache: KeyValueCache) -> KeyValueCache:
    target = session.new_cache(1, CAPACITY)
    target.copy_from(cache, int(cache.lengths[0]))
    return target


@pytest.mark.parametrize("length", [1, 2, 20, 130, 200])
def test_a_greedy_answer_is_the_prompt_by_one_graph_and_steps_by_the_other(bundles: Bundles, length: int) -> None:
    reading, steps = opened(bundles.reading), opened(bundles.steps)
    logits, cache = read_by(reading, ids_of(length))
    expected, cache = [int(logits.argmax())], copied(steps, cache)
    for _ in range(NEW - 1):
        expected.append(int(steps.forward(np.array([[expected[-1]]]), cache).argmax()))
    with biogpt_onnx.load(bundles.both, device="cpu") as model:
        (found,) = model.generate_ids([ids_of(length)], max_new_tokens=NEW, eos_token_id=None)
    assert list(found.token_ids) == expected


def test_logits_are_to_the_last_bit_those_of_the_graphs(bundles: Bundles) -> None:
    reading, steps = opened(bundles.reading), opened(bundles.steps)
    expected, theirs = read_by(reading, ids_of(77))
    backend = open_backend(bundles.both, read_manifest(bundles.both), LoadOptions(device="cpu"))
    ours = backend.new_cache(1, CAPACITY)
    np.testing.assert_array_equal(backend.forward(np.array([ids_of(77)]), ours), expected)
    theirs = copied(steps, theirs)
    for token in (50, 51):
        step = np.array([[token]])
        np.testing.assert_array_equal(backend.step(step, ours).logits(), steps.forward(step, theirs))
    draft = ids_of(6)
    verified = steps.forward(np.array([draft]), theirs, logits_indices=np.arange(6))
    np.testing.assert_array_equal(backend.verify(draft, ours).logits(), verified)


def test_beams_grow_by_the_graph_of_steps(bundles: Bundles) -> None:
    steps = opened(bundles.steps)
    backend = open_backend(bundles.both, read_manifest(bundles.both), LoadOptions(device="cpu"))
    _, cache = read_by(opened(bundles.reading), ids_of(40))
    theirs = TreeBeams(steps, copied(steps, cache))
    state = SequenceState(tuple(ids_of(40)), NEW, eos_token_id=None)
    with backend.beams([state], 3, Limits()) as (ours, _):
        for parents, tokens in (((0, 0, 0), (50, 51, 52)), ((2, 0, 1), (60, 61, 62))):
            np.testing.assert_array_equal(ours.step(parents, tokens).logits(), theirs.step(parents, tokens).logits())


def test_given_text_is_scored_and_chosen_as_int8_does(bundles: Bundles) -> None:
    found = []
    for folder in (bundles.both, bundles.reading):
        with biogpt_onnx.load(folder, device="cpu") as model:
            found.append(
                (
                    model.score(TEXT).log_probabilities,
                    model.choose(TEXT, ["pain", "no pain", "it is not known"]).choices,
                    model.embed(TEXT).tolist(),
                    model.logits(ids_of(30)).tolist(),
                )
            )
    assert found[0] == found[1]


def test_answers_are_those_of_each_way_to_ask(bundles: Bundles) -> None:
    texts = [TEXT, "Aspirin", "Treatment of hypertension in children with diabetes"]
    with biogpt_onnx.load(bundles.both, device="cpu", mixed_passes=True) as model:
        alone = [model.generate(text, max_new_tokens=20).token_ids for text in texts]
        assert [found.token_ids for found in model.generate(texts, max_new_tokens=20)] == alone
        drafted = model.generate(TEXT, max_new_tokens=20, prompt_lookup_num_tokens=4)
        assert drafted.token_ids == alone[0]
        prefix = model.prefix("The patient was")
        for _ in range(2):
            assert model.generate(TEXT, max_new_tokens=20, prefix=prefix).token_ids == alone[0]
        with model.concurrent(max_rows=3) as shared:
            assert shared.generate(TEXT, max_new_tokens=20).token_ids == alone[0]


def test_shared_weights_answer_as_those_of_the_process(bundles: Bundles, tmp_path: Path) -> None:
    answers = []
    for options in ({}, {"share_weights": True, "cache_folder": tmp_path}, {"share_weights": True, "threads": 1}):
        folder = {"cache_folder": tmp_path} if options else {}
        with biogpt_onnx.load(bundles.both, device="cpu", **(options | folder)) as model:
            answers.append(model.generate(TEXT, max_new_tokens=12).sequences)
    assert answers[0] == answers[1] == answers[2]
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2  # an entry of each graph


def test_an_onnx_runtime_without_the_graphs_operator_is_refused(
    bundles: Bundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened_graph, "is_outdated", lambda _: True)
    with pytest.raises(ProviderError, match=r"steps\.onnx cannot be loaded: ONNX Runtime .* pip install --upgrade"):
        biogpt_onnx.load(bundles.both, device="cpu")


@pytest.mark.parametrize("content", [None, b"", b"no graph"])
def test_a_damaged_graph_is_refused(bundles: Bundles, content: bytes | None, tmp_path: Path) -> None:
    for path in bundles.both.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / STEPS_MODEL_FILE).unlink()
    if content is not None:
        size = (bundles.both / STEPS_MODEL_FILE).stat().st_size
        (tmp_path / STEPS_MODEL_FILE).write_bytes(content.ljust(size, b"x") if content else content)
    with pytest.raises(BundleError, match=r"steps\.onnx"):
        biogpt_onnx.load(tmp_path, device="cpu")
