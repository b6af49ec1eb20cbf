import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.backends.chunks import CUT_TOKENS
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from makers.models import FakeModel

PREFIX = (2, 5, 6, 7, 8, 9, 10, 11, 12, 13)
ROOM = 20


def last_token(tokens: list[int]) -> int:
    return tokens[-1]


@pytest.mark.parametrize(
    ("ids", "shared"),
    [
        (PREFIX, 8),
        ((*PREFIX, 20, 21), 8),
        ((*PREFIX[:9], 20, 21), 8),
        (PREFIX[:9], 4),
        (PREFIX[:6], 4),
        (PREFIX[:5], 0),
        ((2, 5, 6, 7, 20, 21, 22), 4),
        ((2, 5, 6, 20, 21, 22, 23), 0),
        ((3, *PREFIX[1:]), 0),
        ((2,), 0),
    ],
)
def test_what_need_not_be_read_ends_in_fours_and_leaves_two_tokens_or_more(ids: tuple[int, ...], shared: int) -> None:
    assert Prefix(FakeModel(last_token).backend, PREFIX).shared_with(ids) == shared


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 40))
def test_the_last_two_tokens_of_prompt_and_prefix_are_read_whatever_they_share(
    prefix_length: int, length: int, common: int
) -> None:
    prefix = Prefix(FakeModel(last_token, max_positions=40).backend, [5] * prefix_length)
    ids = [5] * min(common, length) + [6] * (length - common)
    shared = prefix.shared_with(ids)
    assert shared % CUT_TOKENS == 0
    assert 0 <= shared <= max(0, min(length, prefix_length) - 2)
    assert shared <= common
    assert shared > min(common, length - 2, prefix_length - 2) - CUT_TOKENS


def test_the_prefix_itself_is_continued_without_any_pass() -> None:
    model = FakeModel(last_token)
    prefix = Prefix(model.backend, PREFIX)
    for _ in range(3):
        with prefix.continued(PREFIX, ROOM, Limits()) as (cache, scores):
            assert scores.logits().argmax() == PREFIX[-1]
            scores.logits()[:] = -1  # as rules do
            model.forward(np.array([[9]]), cache)
    assert model.shapes == [(1, 10), (1, 1), (1, 1), (1, 1)]
    assert model.caches[0].rows == [list(PREFIX)]


def test_after_another_continuation_the_end_of_the_prefix_is_read_again_once() -> None:
    model = FakeModel(last_token)
    prefix = Prefix(model.backend, PREFIX)
    for ids in ((*PREFIX, 20, 21), PREFIX, PREFIX):
        with prefix.continued(ids, ROOM, Limits()) as (cache, scores):
            assert scores.logits().argmax() == ids[-1]
            assert cache.rows == [list(ids)]
    assert model.shapes == [(1, 10), (1, 4), (1, 2)]
    assert len(model.caches) == 1


def test_what_follows_is_read_together_with_the_end_of_the_prefix() -> None:
    model = FakeModel(last_token)
    prefix = Prefix(model.backend, PREFIX)
    for ids in (PREFIX, (*PREFIX, 20, 21)):
        with prefix.begun(ids, ROOM) as cache:
            assert cache.rows == [list(PREFIX[:8])]
            model.forward(np.array([[40, 41, 42, 43]]), cache)
        assert model.caches[0].rows == [list(PREFIX[:8])]
    with prefix.begun((*PREFIX[:5], 20, 21), ROOM) as cache:
        assert cache.rows == [list(PREFIX[:4])]
    assert [len(cache.rows[0]) for cache in model.caches] == [8, 4]


def test_a_continuation_that_parts_from_the_prefix_does_not_change_it() -> None:
    model = FakeModel(last_token)
    prefix = Prefix(model.backend, PREFIX)
    with prefix.continued((*PREFIX[:5], 20, 21), ROOM, Limits()) as (cache, scores):
        assert scores.logits().argmax() == 21
        assert cache.rows == [[*PREFIX[:5], 20, 21]]
    assert model.caches[0].rows == [list(PREFIX)]


def test_a_second_continuation_works_on_a_copy_while_the_first_still_grows() -> None:
    model = FakeModel(last_token)
    prefix = Prefix(model.backend, PREFIX)
    with prefix.continued((*PREFIX, 8, 9), ROOM, Limits()) as (first, _):
        for ids in ((*PREFIX, 30, 31), PREFIX):
            with prefix.continued(ids, ROOM, Limits()) as (second, scores):
                assert scores.logits().argmax() == ids[-1]
                assert second is not first
                assert second.rows == [list(ids)]
        assert first.rows == [[*PREFIX, 8, 9]]
    assert model.caches[0].rows == [list(PREFIX[:8])]


def test_more_room_than_the_prefix_has_is_had_by_copying() -> None:
    model = FakeModel(last_token)
    with Prefix(model.backend, PREFIX).continued(PREFIX, 500, Limits()) as (cache, _):
        assert cache.capacity == 500
        assert cache.rows == [list(PREFIX)]


def test_an_interrupted_continuation_gives_the_prefix_back() -> None:
    prefix = Prefix(FakeModel(last_token).backend, PREFIX)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Interrupted), prefix.continued((*PREFIX, 8, 9), ROOM, Limits(cancel=cancel)):
        pytest.fail("nothing may be computed")
    with prefix.continued(PREFIX, ROOM, Limits()) as (cache, _):
        assert cache.rows == [list(PREFIX)]
