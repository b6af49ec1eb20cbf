"""Calls that share passes of a real bundle, of which some find no memory."""

import dataclasses
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, MemoryLimitError
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.memory import guard as guards
from biogpt_onnx.runtime.memory.shortage import shortage_as_limit
from biogpt_onnx.runtime.system.room import Room
from conftest import MakeOnce

Ask = Callable[[BioGPT], object]


def sampled(number: int) -> Ask:
    ids = [2, *np.random.default_rng(number).integers(4, 8000, size=5 + 17 * number).tolist()]
    settings: dict[str, Any] = {"do_sample": True, "seed": number, "max_new_tokens": 24, "eos_token_id": None}
    return lambda model: model.generate_ids([ids], **settings)[0].sequences


CALLS: list[Ask] = [
    *map(sampled, range(6)),
    lambda model: model.choose("Lithium causes", ["tremor", "a tremor"]).choices,
]


@pytest.fixture(params=["fp32", "int8", "cache-int8-int8"])
def bundle(
    request: pytest.FixtureRequest, mini_bundle: Path, mini_by: Callable[[str], Path], make_once: MakeOnce
) -> Path:
    """The embedded checkpoint: in float32, in 8 bits, and with a cache in 8 bits, too."""
    match request.param:
        case "fp32":
            return mini_bundle
        case "int8":
            return mini_by("int8")
        case name:
            chosen = dataclasses.replace(RECIPES["int8"], cache="int8")
            return make_once(name, lambda target: quantize_bundle(mini_bundle, target, chosen))


@pytest.mark.parametrize("mixed_passes", [False, True])
def test_passes_that_fail_when_all_is_written_alter_no_other_answer(
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    mixed_passes: bool,  # noqa: FBT001 -- a case
) -> None:
    model = biogpt_onnx.load(bundle, device="cpu", mixed_passes=mixed_passes, warm_up=False)
    alone = [call(model) for call in CALLS]
    run: Any = DecoderSession._run_bound
    numbers = itertools.count(1)

    def run_and_fail(*given: Any) -> None:
        run(*given)
        if next(numbers) % 20 in {0, 1}:
            with shortage_as_limit():
                raise RuntimeError("Failed to allocate memory for requested buffer of size 4096")

    def ask(call: Ask) -> object:
        try:
            return call(shared)
        except MemoryLimitError as error:
            return error

    with model.concurrent(max_rows=3) as shared, ThreadPoolExecutor(8) as pool:
        with monkeypatch.context() as patched:
            patched.setattr(DecoderSession, "_run_bound", run_and_fail)
            found = list(pool.map(ask, CALLS))
        # Whoever asks later finds a model that is as good as ever.
        assert list(pool.map(ask, CALLS)) == alone
    failed = [number for number, answer in enumerate(found) if isinstance(answer, MemoryLimitError)]
    assert 0 < len(failed) < len(CALLS)
    for number in set(range(len(CALLS))).difference(failed):
        assert found[number] == alone[number]


def test_a_search_gets_the_memory_of_sequences_that_have_ended(
    mini_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = biogpt_onnx.load(mini_bundle, device="cpu", warm_up=False)
    ids = [2, *range(10, 50)]
    alone = model.generate_ids([ids], num_beams=2, max_new_tokens=4)[0].sequences
    left, given = 10**9, list[int]()
    give_back = KeyValueCache.give_back

    def note(cache: KeyValueCache) -> int:
        given.append(give_back(cache))
        return given[-1]

    backend: Any = model._opened
    monkeypatch.setattr(guards, "_LEAST_CHECKED", 1)
    monkeypatch.setattr(KeyValueCache, "give_back", note)
    monkeypatch.setattr(backend._guard, "_read", lambda: Room(left + sum(given), left + sum(given), "the machine"))
    with model.concurrent(max_rows=2) as shared:
        shared.generate_ids([[2, *range(10, 500)]], max_new_tokens=2)
        assert not given
        left = 0
        assert shared.generate_ids([ids], num_beams=2, max_new_tokens=4)[0].sequences == alone
        assert sum(given) > 490 * 8 * 4 * 256
