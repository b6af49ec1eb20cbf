import math
import threading
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.strategies.beam_search import beam_search
from biogpt_onnx.runtime.decoding.strategies.beam_state import _best_candidates
from biogpt_onnx.runtime.errors import ConfigError
from makers.models import FakeModel

EOS = 0
Logits = npt.NDArray[np.float32]


def random_model(seed: int, vocab_size: int) -> FakeModel:
    """Logits that depend on all of the past, as a table of random numbers would give them."""

    def logits(past: list[int]) -> Logits:
        generator = np.random.default_rng([seed, *past])
        return generator.normal(0, 2, vocab_size).astype(np.float32)

    return FakeModel(logits, vocab_size=vocab_size, max_positions=100)


def search(model: FakeModel, prompt: Sequence[int] = (1,), **settings: Any) -> list[SequenceState]:
    config = GenerationConfig(**({"eos_token_id": EOS} | settings))
    state = SequenceState(tuple(prompt), config.most_new_tokens(len(prompt)), eos_token_id=config.end_token_ids)
    *_, (found,) = beam_search(model.backend, [state], config, Limits())
    return list(found)


def log_probability(model: FakeModel, prompt: Sequence[int], tokens: Sequence[int]) -> float:
    total, past = 0.0, list(prompt)
    for token in tokens:
        logits = np.asarray(model.answer(past), dtype=np.float64)
        total += float(logits[token]) - math.log(np.exp(logits).sum())
        past.append(token)
    return total


def all_sequences(vocab_size: int, length: int) -> list[tuple[int, ...]]:
    """Every sequence of at most so many tokens that ends by the ending token or by its length."""
    ended = [(*start, EOS) for size in range(length) for start in product(range(1, vocab_size), repeat=size)]
    return ended + list(product(range(1, vocab_size), repeat=length))


@given(seed=st.integers(0, 10**6), vocab_size=st.integers(2, 4), length=st.integers(1, 3))
@settings(max_examples=50, deadline=None)
def test_a_search_as_wide_as_all_sequences_finds_the_best_of_them(seed: int, vocab_size: int, length: int) -> None:
    model = random_model(seed, vocab_size)
    width = vocab_size**length
    found = search(
        model,
        num_beams=max(2, width),
        max_new_tokens=length,
        early_stopping="never",
        length_penalty=0.0,
    )
    scores = {tokens: log_probability(model, (1,), tokens) for tokens in all_sequences(vocab_size, length)}
    best = sorted(scores, key=lambda tokens: -scores[tokens])[: len(found)]
    assert len(found) == min(max(2, width), len(scores))
    np.testing.assert_allclose([state.score for state in found], [scores[tokens] for tokens in best], atol=1e-5)
    assert {tuple(state.token_ids) for state in found} == set(best)


def test_the_score_is_the_log_probability_divided_by_the_length_to_the_penalty() -> None:
    model = random_model(3, 20)
    for penalty in (-1.0, 0.0, 1.0, 2.0):
        best = search(model, num_beams=3, max_new_tokens=5, length_penalty=penalty)[0]
        expected = log_probability(model, (1,), best.token_ids) / len(best.token_ids) ** penalty
        assert best.score == pytest.approx(expected, abs=1e-5)


def test_early_stopping_ends_with_the_first_sequences_that_are_complete() -> None:
    model = random_model(5, 6)
    sizes = []
    for early_stopping in (True, False, "never"):
        passes = len(model.shapes)
        search(model, num_beams=2, max_new_tokens=25, early_stopping=early_stopping)
        sizes.append(len(model.shapes) - passes)
    assert sizes[0] <= sizes[1] <= sizes[2]
    assert sizes[0] < sizes[2]


def test_the_prompt_is_read_once_and_beams_are_rows_of_one_sequence() -> None:
    model = random_model(1, 30)
    search(model, prompt=[1, 7, 8, 9], num_beams=5, max_new_tokens=6, eos_token_id=None)
    assert model.shapes == [(1, 4), *[(1, 5)] * 5]


def test_a_long_search_with_many_beams_takes_bounded_room() -> None:
    model = random_model(2, 30)
    model.max_positions = 2000
    found = search(model, num_beams=8, max_new_tokens=300, eos_token_id=None)
    assert len(found[0].token_ids) == 300
    assert len(model.caches[0].rows[0]) < 1 + 2 * 300 + 64 + 16


def test_rules_hold_inside_beams() -> None:
    model = random_model(4, 12)
    for state in search(
        model, num_beams=4, max_new_tokens=8, min_new_tokens=6, suppress_tokens=[3], no_repeat_ngram_size=1
    ):
        assert len(state.token_ids) >= 6
        assert 3 not in state.token_ids
        assert len(set(state.token_ids)) == len(state.token_ids)


def test_fewer_sequences_come_back_where_the_rules_allow_fewer() -> None:
    model = random_model(4, 12)
    config = GenerationConfig(num_beams=4, max_new_tokens=5, eos_token_id=EOS)
    allowed = {(): (5, 6), (5,): (EOS,), (6,): (7,), (6, 7): (EOS,)}
    state = SequenceState((1,), 5, eos_token_id=EOS, allowed=lambda tokens: allowed.get(tuple(tokens), ()))
    *_, (found,) = beam_search(model.backend, [state], config, Limits())
    assert sorted(state.token_ids for state in found) == [[5, EOS], [6, 7, EOS]]


def test_rules_that_exclude_everything_are_an_error() -> None:
    with pytest.raises(ConfigError, match="no token may come next"):
        search(random_model(1, 4), num_beams=2, suppress_tokens=[0, 1, 2, 3])


@pytest.mark.parametrize("steps", [1, 3])
def test_cancelled_beams_come_back_as_they_are(steps: int) -> None:
    cancel = threading.Event()
    config = GenerationConfig(num_beams=3, max_new_tokens=20, eos_token_id=None)
    state = SequenceState((1,), 20, eos_token_id=None)
    running = beam_search(random_model(1, 30).backend, [state], config, Limits(cancel=cancel))
    for _ in range(steps):
        next(running)
    cancel.set()
    *_, (found,) = running
    assert [len(state.token_ids) for state in found] == [steps] * 3
    assert {state.finish_reason for state in found} == {"cancelled"}


class StopAt:
    """Stops a sequence at its second 7."""

    def __init__(self, seen: int = 0) -> None:
        self.seen = seen

    def push(self, token_id: int) -> bool:
        self.seen += token_id == 7
        return self.seen == 2

    def branch(self) -> "StopAt":
        return StopAt(self.seen)


def test_each_beam_stops_by_its_own_text() -> None:
    random = random_model(8, 10)

    def likes_seven(past: list[int]) -> Logits:
        return np.asarray(random.answer(past) + 3 * np.eye(10)[7], dtype=np.float32)

    state = SequenceState((1,), 12, eos_token_id=None, watch=StopAt())
    config = GenerationConfig(num_beams=4, max_new_tokens=12, eos_token_id=None)
    *_, (found,) = beam_search(FakeModel(likes_seven, 10).backend, [state], config, Limits())
    stopped = [state for state in found if state.finish_reason == "stop"]
    assert stopped
    for state in stopped:
        assert state.token_ids.count(7) == 2
        assert state.token_ids[-1] == 7


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 400), st.integers(1, 16))
@settings(deadline=None)
def test_the_best_candidates_are_found_without_looking_at_all(seed: int, rows: int, width: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    # Whole numbers, so that many are equal; some excluded, as by rules.
    values = generator.integers(-9, 9, (rows, width)).astype(np.float32)
    values[generator.random((rows, width)) < 0.1] = -np.inf
    values[0, 0] = 0
    offsets = generator.integers(-3, 3, rows).astype(np.float64)
    found = list(zip(*(part.tolist() for part in _best_candidates(values, offsets, count)), strict=True))
    totals = values + offsets[:, None]
    everything = sorted(np.ndindex(totals.shape), key=lambda place: (-totals[place], place))
    assert found == [place for place in everything if np.isfinite(totals[place])][:count]
