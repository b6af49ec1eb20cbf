import threading

import numpy as np
import pytest

from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from makers.models import FakeModel

PREFIX = (2, 5, 6, 7)


def last_token(tokens: list[int]) -> int:
    return tokens[-1]


@pytest.mark.parametrize(
    ("ids", "shared"),
    [
        (PREFIX, 4),
        ((2, 5, 6, 7, 8, 9), 4),
        ((2, 5, 6, 7, 8), 3),
        ((2, 5, 6), 1),
        ((2, 5, 9, 7, 8), 2),
        ((3, 5, 6, 7), 0),
        ((2,), 0),
    ],
)
def test_what_need_not_be_read_leaves_no_single_token_over(ids: tuple[int, ...], shared: int) -> None:
    assert Prefix(FakeModel(last_token).backend, PREFIX).shared_with(ids) == shared


def test_the_prefix_itself_is_continued_without_any_pass() -> None:
    model = FakeModel(last_token)
    prefix = Prefix(model.backend, PREFIX)
    for _ in range(3):
        with prefix.continued(PREFIX, 10, Limits()) as (cache, scores):
            assert scores.logits().argmax() == 7
            scores.logits()[:] = -1  # as rules do
            model.forward(np.array([[9]]), cache)
    assert model.shapes == [(1, 4), (1, 1), (1, 1), (1, 1)]
    assert model.caches[0].rows == [list(PREFIX)]


def test_a_continuation_that_parts_from_the_prefix_does_not_change_it() -> None:
    model = FakeModel(last_token)
    prefix = Prefix(model.backend, PREFIX)
    with prefix.continued((2, 5, 20, 21), 10, Limits()) as (cache, scores):
        assert scores.logits().argmax() == 21
        assert cache.rows == [[2, 5, 20, 21]]
    assert model.caches[0].rows == [list(PREFIX)]


def test_a_second_continuation_works_on_a_copy_while_the_first_still_grows() -> None:
    model = FakeModel(last_token)
    prefix = Prefix(model.backend, PREFIX)
    with prefix.continued((*PREFIX, 8, 9), 10, Limits()) as (first, _):
        with prefix.continued((*PREFIX, 30, 31), 10, Limits()) as (second, scores):
            assert scores.logits().argmax() == 31
            assert second is not first
            assert second.rows == [[*PREFIX, 30, 31]]
        assert first.rows == [[*PREFIX, 8, 9]]
    assert model.caches[0].rows == [list(PREFIX)]


def test_more_room_than_the_prefix_has_is_had_by_copying() -> None:
    model = FakeModel(last_token)
    with Prefix(model.backend, PREFIX).continued(PREFIX, 500, Limits()) as (cache, _):
        assert cache.capacity == 500
        assert cache.rows == [list(PREFIX)]


def test_an_interrupted_continuation_gives_the_prefix_back() -> None:
    prefix = Prefix(FakeModel(last_token).backend, PREFIX)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Interrupted), prefix.continued((*PREFIX, 8, 9), 10, Limits(cancel=cancel)):
        pytest.fail("nothing may be computed")
    with prefix.continued(PREFIX, 10, Limits()) as (cache, _):
        assert cache.rows == [list(PREFIX)]
