"""The check of caches before and while they take memory."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, MemoryLimitError
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.memory import guard as guards
from biogpt_onnx.runtime.memory.guard import CacheGuard, giving_back
from biogpt_onnx.runtime.system.room import Room

MIB = 2**20


def room(mebibytes: float) -> Room:
    return Room(int(mebibytes * MIB), int(mebibytes * MIB), "the control group's limit of 512 MiB")


@pytest.fixture(scope="module")
def large(mini: BioGPT) -> Manifest:
    """A manifest of BioGPT's size, of which a token takes 196,608 bytes."""
    shape = dataclasses.replace(mini.manifest.architecture, num_layers=24, hidden_size=1024, num_heads=16)
    return dataclasses.replace(mini.manifest, architecture=shape)


def test_a_cache_that_does_not_fit_is_refused_with_what_to_do(large: Manifest) -> None:
    with pytest.raises(MemoryLimitError) as caught:
        CacheGuard(large, lambda: room(100)).check_cache([600])
    assert str(caught.value) == (
        "a cache for 600 tokens needs about 128 MiB more memory, and 100 MiB are left of the control group's limit of "
        "512 MiB: shorten the prompt, lower max_new_tokens, give fewer prompts at a time, or give more memory, or load "
        "with check_memory=False (--no-memory-check) to try nevertheless"
    )
    CacheGuard(large, lambda: room(130)).check_cache([600])


def test_the_rows_of_a_batch_count_together(large: Manifest) -> None:
    guard = CacheGuard(large, lambda: room(100))
    guard.check_cache([400])
    with pytest.raises(MemoryLimitError, match=r"a cache for 2 rows of together 1,000 tokens needs about 20\d MiB"):
        guard.check_cache([500, 500])


def test_memory_that_is_held_for_nothing_is_given_back_before_it_is_said_that_there_is_none(large: Manifest) -> None:
    left = [20.0]

    def give_back() -> None:
        left[0] = 200

    guard = CacheGuard(large, lambda: room(left[0]))
    with giving_back(give_back):
        guard.check_cache([600])
        left[0] = 20
        guard.before_pass(50 * MIB, 1, 600)
    left[0] = 20
    with pytest.raises(MemoryLimitError):
        guard.check_cache([600])


def test_swap_is_room_and_an_unknown_system_is_not_judged(large: Manifest) -> None:
    CacheGuard(large, lambda: Room(0, 200 * MIB, "the machine's memory")).check_cache([600])
    CacheGuard(large, lambda: None).check_cache([10**9])


def test_steps_ask_for_the_room_only_now_and_then(large: Manifest) -> None:
    asked = []

    def read() -> Room:
        asked.append(True)
        return room(100)

    guard = CacheGuard(large, read)
    for _ in range(100):
        guard.before_pass(196_608, 1, 300)
    assert 2 <= len(asked) <= 6


def test_a_cache_that_grows_is_stopped_before_the_memory_ends(large: Manifest) -> None:
    left = [20 * MIB]
    guard = CacheGuard(large, lambda: Room(left[0], left[0], "the machine's memory"))

    def generate() -> None:
        for _ in range(1000):
            guard.before_pass(196_608, 1, 300)
            left[0] -= 196_608

    with pytest.raises(MemoryLimitError, match="the key-value cache needs about"):
        generate()
    assert left[0] >= 0
    # What comes next is checked at once, as less is left than goes unchecked otherwise.
    with pytest.raises(MemoryLimitError):
        guard.before_pass(196_608, 1, 300)
    left[0] = 20 * MIB
    guard.before_pass(196_608, 1, 300)


def test_memory_that_a_cache_has_already_is_not_asked_for_again(mini: BioGPT) -> None:
    architecture = mini.manifest.architecture
    cache = KeyValueCache.allocate(architecture, 2, 64)
    each = 8 * architecture.num_layers * architecture.hidden_size
    assert cache.new_bytes(10) == 20 * each
    cache.lengths += 10
    assert cache.new_bytes(np.array([1, 5])) == 6 * each
    cache.row(1).lengths += 5
    assert cache.row(1).new_bytes(1) == each
    cache.truncate(0)
    assert cache.new_bytes(10) == 0
    assert cache.front(1).new_bytes(12) == 2 * each
    assert cache.some_rows(1, 1).new_bytes(16) == each


@pytest.fixture
def narrow(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> BioGPT:
    """The embedded model with room for about 100 tokens."""
    model = biogpt_onnx.load(mini_bundle, device="cpu", warm_up=False)
    shape = model.manifest.architecture
    monkeypatch.setattr(guards, "_LEAST_CHECKED", 1)
    backend: Any = model._opened
    guard: Any = backend._guard
    left = 100 * 8 * shape.num_layers * shape.hidden_size
    guard._read = lambda: Room(left, left, "the machine's memory")
    return model


def test_a_call_that_cannot_fit_is_refused_before_anything_is_computed(
    narrow: BioGPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("biogpt_onnx.runtime.backends.cpu.session.DecoderSession._run_bound", compute)
    ids = [2, *range(10, 130)]
    calls: list[Callable[[], object]] = [
        lambda: narrow.generate_ids([ids], max_new_tokens=1),
        lambda: narrow.generate_ids([ids[:50]], max_new_tokens=90, eos_token_id=None),
        lambda: narrow.generate_ids([ids], max_new_tokens=4, num_beams=3),
        lambda: narrow.score_ids([ids]),
        lambda: narrow.choose_ids([ids], ["yes", "no"]),
    ]
    for call in calls:
        with pytest.raises(MemoryLimitError, match=r"a cache for .* tokens needs about"):
            call()


def test_a_text_that_may_end_early_is_begun(narrow: BioGPT) -> None:
    ids = [2, *range(10, 40)]
    assert narrow.generate_ids([ids], max_new_tokens=900, stop_strings=["."])[0].token_ids


def test_a_batch_that_is_too_large_is_divided(narrow: BioGPT, mini: BioGPT) -> None:
    prompts = ["Aspirin inhibits", "The patient was treated with lithium", "Insulin"] * 12
    settings = {"max_new_tokens": 8, "eos_token_id": None}
    found = narrow.generate(prompts, **settings)  # type: ignore[call-overload]
    alone = mini.generate(prompts, **settings)  # type: ignore[call-overload]
    assert [each.token_ids for each in found] == [each.token_ids for each in alone]
