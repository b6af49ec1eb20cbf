"""Beams in rows of their own find what beams in a tree find."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from biogpt_onnx import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.state import AllowedTokens, SequenceState
from biogpt_onnx.runtime.decoding.strategies.beam_search import beam_search
from makers.models import SELECTED, DeviceFake, FakeModel

EOS, VOCAB = 0, 30
PROMPTS = ((1,), (1, 7, 8, 9), (1, 2))

Found = list[list[SequenceState]]


def logits_after(past: list[int]) -> npt.NDArray[np.float32]:
    logits = np.random.default_rng(past).normal(0, 2, VOCAB).astype(np.float32)
    logits[EOS] += 2
    return logits


def states(
    config: GenerationConfig, prompts: Sequence[tuple[int, ...]], allowed: AllowedTokens | None = None
) -> list[SequenceState]:
    return [
        SequenceState(prompt, config.most_new_tokens(len(prompt)), eos_token_id=config.end_token_ids, allowed=allowed)
        for prompt in prompts
    ]


def in_rows(
    model: DeviceFake, config: GenerationConfig, prompts: Sequence[tuple[int, ...]] = PROMPTS, **more: Any
) -> Found:
    *_, found = beam_search(model.backend, states(config, prompts, **more), config, Limits())
    return [list(one) for one in found]


def in_a_tree(
    model: FakeModel, config: GenerationConfig, prompts: Sequence[tuple[int, ...]] = PROMPTS, **more: Any
) -> Found:
    found = []
    for state in states(config, prompts, **more):
        *_, (last,) = beam_search(model.backend, [state], config, Limits())
        found.append(list(last))
    return found


def assert_same(ours: Found, theirs: Found) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        assert [state.token_ids for state in mine] == [state.token_ids for state in other]
        assert [state.finish_reason for state in mine] == [state.finish_reason for state in other]
        assert [state.score for state in mine] == pytest.approx([state.score for state in other], abs=1e-5)


@given(
    seed=st.integers(0, 10**6),
    num_beams=st.integers(2, 6),
    length=st.integers(1, 12),
    early_stopping=st.sampled_from([True, False, "never"]),
    length_penalty=st.sampled_from([0.0, 1.0, -1.0]),
    repetition_penalty=st.sampled_from([1.0, 1.3]),
)
@settings(deadline=None, max_examples=60)
def test_they_find_the_same(seed: int, length: int, **more: Any) -> None:
    config = GenerationConfig(max_new_tokens=length, eos_token_id=EOS, **more)

    def answer(past: list[int]) -> npt.NDArray[np.float32]:
        return logits_after([seed, *past])

    assert_same(in_rows(DeviceFake(answer, VOCAB), config), in_a_tree(FakeModel(answer, VOCAB), config))


def test_all_prompts_go_through_each_step_together_and_those_that_are_done_leave() -> None:
    model = DeviceFake(logits_after, VOCAB)
    config = GenerationConfig(num_beams=3, max_new_tokens=15, eos_token_id=EOS, early_stopping=True)
    in_rows(model, config)
    steps = model.batch_sizes[len(PROMPTS) :]
    assert steps[0] == 9
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] < 9


def test_a_few_of_the_likeliest_or_what_is_allowed_is_enough_without_other_rules() -> None:
    def brought(allowed: AllowedTokens | None = None, **settings: Any) -> tuple[bool, bool, bool]:
        model = DeviceFake(logits_after, VOCAB)
        config = GenerationConfig(max_new_tokens=8, eos_token_id=EOS, **{"num_beams": 3} | settings)
        in_rows(model, config, allowed=allowed)
        return model.selections > 0, model.look_ups > 0, model.brought > 0

    few, many = [5, 6, EOS], list(range(10))
    assert brought() == (True, False, False)
    assert brought(allowed=lambda _: few) == (False, True, False)
    assert brought(allowed=lambda _: many) == (False, False, True)
    assert brought(repetition_penalty=1.2) == (False, False, True)
    assert brought(repetition_penalty=1.2, allowed=lambda _: few) == (False, False, True)
    assert brought(num_beams=(SELECTED + 1) // 2) == (False, False, True)


def score_of(
    tokens: Sequence[int],
    prompt: Sequence[int],
    answer: Callable[[list[int]], npt.NDArray[np.float32]],
    allowed: Callable[[Sequence[int]], set[int]],
) -> float:
    """The log-probability of a text, each token of which must be allowed."""
    score = 0.0
    for number, token in enumerate(tokens):
        assert token in allowed(tokens[:number])
        logits = answer([*prompt, *tokens[:number]]).astype(np.float64)
        score += float(logits[token] - np.log(np.sum(np.exp(logits))))
    return score


some_tokens = st.sets(st.integers(0, VOCAB - 1), min_size=1, max_size=3)


@given(st.lists(some_tokens, min_size=1, max_size=3), st.sampled_from([0, 4]))
@example([{0, 9, 19}, {16, 12, 6}], 4)
@settings(deadline=None, max_examples=60)
def test_beams_of_what_is_allowed_are_those_in_a_tree(sets: list[set[int]], steps_of: int) -> None:
    def answer(past: list[int]) -> npt.NDArray[np.float32]:
        logits = logits_after(past)
        return np.round(logits / steps_of).astype(np.float32) if steps_of else logits

    def allowed(new: Sequence[int]) -> set[int]:
        return sets[sum(new) % len(sets)]

    config = GenerationConfig(num_beams=3, max_new_tokens=6, eos_token_id=EOS, length_penalty=0.0)
    model = DeviceFake(answer, VOCAB)
    ours, theirs = (
        in_rows(model, config, allowed=allowed),
        in_a_tree(FakeModel(answer, VOCAB), config, allowed=allowed),
    )
    if steps_of:
        # Many beginnings are equally likely: the last bit of a sum decides which go on, and so which texts are found.
        for found in (ours, theirs):
            for prompt, states in zip(PROMPTS, found, strict=True):
                assert [state.score for state in states] == pytest.approx(
                    [score_of(state.token_ids, prompt, answer, allowed) for state in states], abs=1e-4
                )
    else:
        assert_same(ours, theirs)
    assert model.brought == 0


def test_where_equal_ones_could_decide_all_are_looked_at() -> None:
    config = GenerationConfig(num_beams=2, max_new_tokens=3, eos_token_id=None)

    def flat(_: list[int]) -> npt.NDArray[np.float32]:
        return np.zeros(VOCAB, dtype=np.float32)

    model = DeviceFake(flat, VOCAB)
    (found,) = in_rows(model, config, [(1,)])
    assert model.brought == 3
    assert_same([found], in_a_tree(FakeModel(flat, VOCAB), config, [(1,)]))


def test_equals_among_the_selected_come_in_the_order_of_beams_and_tokens() -> None:
    def two_levels(_: list[int]) -> npt.NDArray[np.float32]:
        logits = np.zeros(VOCAB, dtype=np.float32)
        logits[[20, 11, 4, 9]] = 5
        return logits

    config = GenerationConfig(num_beams=2, max_new_tokens=4, eos_token_id=None)
    model = DeviceFake(two_levels, VOCAB)
    assert_same(in_rows(model, config, [(1,)]), in_a_tree(FakeModel(two_levels, VOCAB), config, [(1,)]))
    assert model.brought == 0


def test_allowed_tokens_and_fewer_sequences_than_beams() -> None:
    following = {(): (5, 6), (5,): (EOS,), (6,): (7,), (6, 7): (EOS,)}

    def allowed(tokens: Sequence[int]) -> tuple[int, ...]:
        return following.get(tuple(tokens), ())

    config = GenerationConfig(num_beams=4, max_new_tokens=5, eos_token_id=EOS)
    ours = in_rows(DeviceFake(logits_after, VOCAB), config, allowed=allowed)
    assert_same(ours, in_a_tree(FakeModel(logits_after, VOCAB), config, allowed=allowed))
    assert sorted(state.token_ids for state in ours[0]) == [[5, EOS], [6, 7, EOS]]


@pytest.mark.parametrize("steps", [1, 4])
def test_what_is_cancelled_comes_back_as_it_is_and_what_was_done_stays(steps: int) -> None:
    def ends_behind_two(past: list[int]) -> npt.NDArray[np.float32]:
        logits = logits_after(past)
        logits[EOS] = 30 if past[:2] == [1, 2] else -30
        return logits

    cancel = threading.Event()
    config = GenerationConfig(num_beams=2, max_new_tokens=20, eos_token_id=EOS, early_stopping=True)
    prompts = [(1, 2), (1, 3)]
    running = beam_search(
        DeviceFake(ends_behind_two, VOCAB).backend, states(config, prompts), config, Limits(cancel=cancel)
    )
    for _ in range(steps):
        next(running)
    cancel.set()
    *_, found = running
    reasons = [{state.finish_reason for state in one} for one in found]
    assert reasons[1] == {"cancelled"}
    if steps == 4:
        assert reasons[0] == {"eos"}


def test_it_is_cancelled_before_anything_is_read() -> None:
    cancel = threading.Event()
    cancel.set()
    config = GenerationConfig(num_beams=2, max_new_tokens=20, eos_token_id=EOS)
    (found,) = beam_search(
        DeviceFake(logits_after, VOCAB).backend, states(config, PROMPTS), config, Limits(cancel=cancel)
    )
    assert [[state.token_ids for state in one] for one in found] == [[[]]] * 3


def test_a_search_of_many_prompts_takes_them_in_groups_and_keeps_their_order() -> None:
    config = GenerationConfig(num_beams=20, max_new_tokens=3, eos_token_id=EOS, num_return_sequences=2)
    prompts = [(1, number) for number in range(2, 9)]
    model = DeviceFake(logits_after, VOCAB)
    requests = [Request([state]) for state in states(config, prompts)]
    # Nothing can follow the last one: it is answered before it is read.
    requests.append(Request(states(config, [(1, 9)], allowed=lambda _: [])))
    for _ in run_search(model.backend, requests, config, Limits()):
        pass
    assert max(model.batch_sizes) == 60
    expected = in_a_tree(FakeModel(logits_after, VOCAB), config, prompts)
    assert_same([request.states for request in requests[:-1]], [found[:2] for found in expected])
    assert requests[-1].states[0].finish_reason == "stop"
    assert all(request.steps > 0 for request in requests[:-1])
