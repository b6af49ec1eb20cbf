"""A sequence knows its tokens, their scores and why it ended, and its copies go on by themselves."""

from collections.abc import Sequence
from typing import Any

import pytest

from biogpt_onnx.runtime.decoding.state import SequenceState


class StopAt:
    """Stops at a token, and counts what it has read."""

    def __init__(self, token: int) -> None:
        self.token, self.read = token, 0

    def push(self, token_id: int) -> bool:
        self.read += 1
        return token_id == self.token

    def branch(self) -> "StopAt":
        other = StopAt(self.token)
        other.read = self.read
        return other


def continued(state: SequenceState, *tokens: int) -> SequenceState:
    for token in tokens:
        state.append(token, -0.5)
    return state


def test_tokens_scores_and_times_are_kept_in_order() -> None:
    state = SequenceState((2, 5, 6), 4)
    state.append(7, -0.25)
    state.append(8, -1.5)
    assert (state.ids.tolist(), state.token_ids, state.num_new_tokens) == ([2, 5, 6, 7, 8], [7, 8], 2)
    assert (state.log_probabilities, state.score) == ([-0.25, -1.5], -1.75)
    assert len(state.token_times) == 2
    assert state.token_times == sorted(state.token_times)
    assert state.finish_reason is None


@pytest.mark.parametrize(
    ("tokens", "settings", "reason"),
    [
        ((7, 2), {}, "eos"),
        ((7, 8), {}, None),
        ((7, 8, 9), {}, "length"),
        # What the model itself says counts most, then the caller.
        ((7, 8, 2), {}, "eos"),
        ((7, 8, 9), {"watch": StopAt(9)}, "stop"),
        ((7, 2), {"watch": StopAt(2)}, "eos"),
        ((7, 2), {"eos_token_id": None}, None),
        ((7, 9), {"eos_token_id": (8, 9)}, "eos"),
        ((0,), {"eos_token_id": 0}, "eos"),
        ((7,), {"allowed": lambda tokens: [8] if not tokens else []}, "stop"),
        ((), {"allowed": lambda _: []}, "stop"),
        ((7, 8, 9), {"allowed": lambda _: [3]}, "length"),
    ],
)
def test_a_sequence_ends_for_the_first_reason(
    tokens: Sequence[int], settings: dict[str, Any], reason: str | None
) -> None:
    assert continued(SequenceState((2, 5), 3, **settings), *tokens).finish_reason == reason


def test_the_caller_is_not_asked_about_the_token_that_ends_a_text() -> None:
    watch = StopAt(9)
    continued(SequenceState((2, 5), 3, watch=watch), 7, 2)
    assert watch.read == 1


@pytest.mark.parametrize(
    ("settings", "least"),
    [
        ({}, 3),
        ({"eos_token_id": None}, 6),
        ({"eos_token_id": None, "watch": StopAt(9)}, 3),
        ({"eos_token_id": None, "allowed": lambda _: [7]}, 3),
    ],
)
def test_a_cache_is_for_all_tokens_but_the_last_and_surely_for_those_that_must_come(
    settings: dict[str, Any], least: int
) -> None:
    state = SequenceState((2, 5, 6), 4, **settings)
    assert (state.least_cached_tokens, state.max_cached_tokens) == (least, 6)


def test_copies_go_on_by_themselves() -> None:
    watch = StopAt(9)
    state = continued(SequenceState((2, 5), 4, watch=watch), 7)
    state.top_tokens.append(((7, -0.5),))
    other = state.branch()
    continued(other, 8, 9)
    other.top_tokens.append(((8, -0.5),))
    assert (state.token_ids, state.finish_reason, state.score) == ([7], None, -0.5)
    assert (len(state.token_times), len(state.log_probabilities), len(state.top_tokens), watch.read) == (1, 1, 1, 1)
    assert (other.token_ids, other.finish_reason, other.score) == ([7, 8, 9], "stop", -1.5)
    continued(state, 6)
    assert (state.token_ids, other.token_ids) == ([7, 6], [7, 8, 9])
