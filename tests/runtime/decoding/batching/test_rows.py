from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.decoding.batching.piece_length import MOST_TOKENS
from biogpt_onnx.runtime.decoding.batching.row import Row
from biogpt_onnx.runtime.decoding.batching.rows import Rows
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.errors import BundleError, ConfigError
from makers.models import FakeCache, FakeModel, MixedFake

EOS = 2
PREFIX = [EOS, 3, 4, 5, 6, 3, 4, 5]


def count_up(tokens: list[int]) -> int:
    """The next number; after 9, the end."""
    return EOS if tokens[-1] == 9 else tokens[-1] + 1


def row_of(prompt: list[int], **settings: object) -> Row:
    config = GenerationConfig(**settings)  # type: ignore[arg-type]
    state = SequenceState(tuple(prompt), config.most_new_tokens(0), eos_token_id=config.end_token_ids)
    return Row(state, NextTokenSelector(config), Limits())


def read_whole(rows: Rows[FakeCache], *group: Row) -> None:
    rows.begin(group)
    while rows.reading:
        rows.read(MOST_TOKENS)


def test_rows_join_and_leave_while_others_run() -> None:
    model = FakeModel(count_up)
    rows = Rows(model.backend, max_rows=2, capacity=30)
    first, second, third = row_of([EOS, 5]), row_of([EOS, 3, 8]), row_of([EOS, 6])
    read_whole(rows, first)
    rows.step()
    read_whole(rows, second)
    assert rows.num_free == 0
    assert list(rows.step()) == [second]
    assert rows.num_free == 1
    read_whole(rows, third)
    while rows.stepping:
        rows.step()
    assert [row.state.token_ids for row in (first, second, third)] == [[6, 7, 8, 9, 2], [9, 2], [7, 8, 9, 2]]


def test_the_last_row_takes_the_place_of_one_that_leaves_while_a_prompt_is_read() -> None:
    model = FakeModel(count_up, max_positions=400)
    rows = Rows(model.backend, max_rows=4, capacity=400)
    leaving, staying = row_of([EOS, 8]), row_of([EOS, 3])
    read_whole(rows, leaving)
    read_whole(rows, staying)
    joining = row_of([EOS] + [30] * 2 * MOST_TOKENS + [4])
    rows.begin([joining])
    rows.read(MOST_TOKENS)
    assert list(rows.step()) == [leaving]
    while rows.reading or rows.stepping:
        rows.read(MOST_TOKENS)
        rows.step()
    assert staying.state.token_ids == [4, 5, 6, 7, 8, 9, 2]
    assert joining.state.token_ids == [5, 6, 7, 8, 9, 2]


def test_a_prompt_is_read_in_pieces_and_once_for_all_its_rows() -> None:
    model = FakeModel(count_up, max_positions=400)
    rows = Rows(model.backend, max_rows=3, capacity=400)
    group = [row_of([EOS] + [30] * 2 * MOST_TOKENS + [7]) for _ in range(3)]
    read_whole(rows, *group)
    assert len(model.shapes) == 3
    assert all(shape[0] == 1 and 1 < shape[1] <= MOST_TOKENS for shape in model.shapes)
    while rows.stepping:
        rows.step()
    assert [row.state.token_ids for row in group] == [[8, 9, 2]] * 3


@pytest.mark.parametrize("prompt", [[*PREFIX], PREFIX[:6], [*PREFIX, 7]])
def test_of_a_prefix_only_the_end_is_read_again(prompt: list[int]) -> None:
    model = FakeModel(count_up)
    prefix = Prefix(model.backend, PREFIX)
    before = len(model.shapes)
    rows = Rows(model.backend, max_rows=1, capacity=30)
    row = row_of(prompt)
    row.state.prefix = prefix
    read_whole(rows, row)
    assert sum(shape[1] for shape in model.shapes[before:]) == len(prompt) - 4
    while rows.stepping:
        rows.step()
    assert row.state.token_ids[-1] == EOS


def test_an_error_ends_its_own_row_alone() -> None:
    rows = Rows(FakeModel(count_up).backend, max_rows=2, capacity=30)
    bad = row_of([EOS, 5], suppress_tokens=list(range(50)))
    good = row_of([EOS, 5])
    read_whole(rows, good)
    read_whole(rows, bad)
    assert isinstance(bad.error, ConfigError)
    while rows.stepping:
        rows.step()
    assert good.error is None
    assert good.state.token_ids == [6, 7, 8, 9, 2]


def test_a_limit_ends_its_own_row_alone() -> None:
    rows = Rows(FakeModel(count_up).backend, max_rows=2, capacity=30)
    cancelled, other = row_of([EOS, 3]), row_of([EOS, 5])
    read_whole(rows, cancelled)
    read_whole(rows, other)
    cancelled.limits.cancel()
    assert list(rows.step()) == [cancelled]
    while rows.stepping:
        rows.step()
    assert (cancelled.state.finish_reason, cancelled.state.token_ids) == ("cancelled", [4])
    assert other.state.token_ids == [6, 7, 8, 9, 2]


def test_a_prompt_whose_rows_are_cancelled_is_read_no_further() -> None:
    model = FakeModel(count_up, max_positions=400)
    rows = Rows(model.backend, max_rows=2, capacity=400)
    row = row_of([EOS] + [30] * 3 * MOST_TOKENS)
    rows.begin([row])
    rows.read(MOST_TOKENS)
    row.limits.cancel()
    assert list(rows.read(MOST_TOKENS)) == [row]
    assert len(model.shapes) == 1
    assert rows.num_free == 2


def test_more_rows_than_are_free_are_refused() -> None:
    rows = Rows(FakeModel(count_up).backend, max_rows=1, capacity=30)
    with pytest.raises(ValueError, match="2 rows cannot begin: 1 are free"):
        rows.begin([row_of([EOS, 5]), row_of([EOS, 5])])


def beside(*running: Row, joining: Row, max_rows: int = 3) -> tuple[MixedFake, Rows[FakeCache]]:
    """Rows that run, and one whose prompt is to be read beside them."""
    model = MixedFake(count_up, max_positions=400)
    rows = Rows(model.backend, max_rows, capacity=400)
    for row in running:
        read_whole(rows, row)
    model.shapes.clear()
    rows.begin([joining])
    return model, rows


def test_a_piece_and_the_steps_take_one_pass_and_after_the_last_piece_all_step() -> None:
    first, second, joining = row_of([EOS, 3]), row_of([EOS, 4]), row_of([EOS, *[30] * 6, 5])
    model, rows = beside(first, second, joining=joining)
    assert list(rows.read_and_step(4)) == []
    assert (rows.num_read, rows.num_stepped) == (4, 2)
    assert rows.reading == [joining]
    rows.read_and_step(4)
    assert not rows.reading
    assert rows.num_cached_tokens == (2 + 2) + (2 + 2) + 8
    while rows.stepping:
        rows.step()
    assert model.mixed_shapes == [(4, 2), (4, 2)]
    assert first.state.token_ids == [4, 5, 6, 7, 8, 9, 2]
    assert second.state.token_ids == [5, 6, 7, 8, 9, 2]
    assert joining.state.token_ids == [6, 7, 8, 9, 2]


def test_in_a_mixed_pass_the_last_row_takes_the_place_of_one_that_ends_before_the_read_one_joins() -> None:
    ending, staying, joining = row_of([EOS, 8]), row_of([EOS, 3]), row_of([EOS, 30, 5])
    _, rows = beside(ending, staying, joining=joining)
    # The first has 9 and gets the end; the prompt is read to its end in the same pass.
    assert list(rows.read_and_step(MOST_TOKENS)) == [ending]
    assert rows.stepping == [staying, joining]
    while rows.stepping:
        rows.step()
    assert staying.state.token_ids == [4, 5, 6, 7, 8, 9, 2]
    assert joining.state.token_ids == [6, 7, 8, 9, 2]


def test_one_whose_first_token_is_its_last_does_not_join() -> None:
    running, joining = row_of([EOS, 3]), row_of([EOS, 30, 9])
    _, rows = beside(running, joining=joining)
    assert list(rows.read_and_step(MOST_TOKENS)) == [joining]
    assert rows.stepping == [running]
    assert joining.state.token_ids == [2]


def test_samples_of_one_prompt_join_together_after_a_mixed_pass() -> None:
    model = MixedFake(count_up, max_positions=400)
    rows = Rows(model.backend, 4, capacity=400)
    running = row_of([EOS, 3])
    read_whole(rows, running)
    group = [row_of([EOS, 30, 7]) for _ in range(3)]
    rows.begin(group)
    rows.read_and_step(MOST_TOKENS)
    assert len(rows.stepping) == 4
    while rows.stepping:
        rows.step()
    assert [row.state.token_ids for row in group] == [[8, 9, 2]] * 3
    assert running.state.token_ids == [4, 5, 6, 7, 8, 9, 2]


@pytest.mark.parametrize("of", ["read", "running"])
def test_a_limit_ends_its_own_row_alone_in_a_mixed_pass(of: str) -> None:
    running, joining = row_of([EOS, 3]), row_of([EOS, 30, 30, 30, 30, 5])
    model, rows = beside(running, joining=joining)
    cancelled, other = (joining, running) if of == "read" else (running, joining)
    cancelled.limits.cancel()
    assert list(rows.read_and_step(4)) == [cancelled]
    # Nothing is left to be mixed.
    assert model.mixed_shapes == []
    assert (rows.num_read, rows.num_stepped) == ((0, 1) if of == "read" else (4, 0))
    while rows.reading or rows.stepping:
        rows.read_and_step(4)
    assert (cancelled.state.finish_reason, other.state.token_ids[-1]) == ("cancelled", EOS)


@pytest.mark.parametrize("of", ["read", "running"])
def test_rules_that_fail_end_their_own_row_alone_in_a_mixed_pass(of: str) -> None:
    running, joining = row_of([EOS, 3]), row_of([EOS, 30, 5])
    _, rows = beside(running, joining=joining)
    bad, good = (joining, running) if of == "read" else (running, joining)
    bad.selector = NextTokenSelector(GenerationConfig(suppress_tokens=list(range(50))))
    assert list(rows.read_and_step(MOST_TOKENS)) == [bad]
    assert isinstance(bad.error, ConfigError)
    while rows.stepping:
        rows.step()
    assert good.error is None
    assert good.state.token_ids[-2:] == [9, EOS]


def test_of_a_prompt_that_is_its_whole_prefix_the_end_is_read_with_the_step() -> None:
    running, joining = row_of([EOS, 3]), row_of(PREFIX)
    model, rows = beside(running, joining=row_of([EOS, 4, 9]))
    rows.read_and_step(MOST_TOKENS)
    joining.state.prefix = Prefix(model.backend, PREFIX)
    model.mixed_shapes.clear()
    rows.begin([joining])
    rows.read_and_step(MOST_TOKENS)
    assert (model.mixed_shapes, rows.num_read, rows.num_stepped) == ([(4, 1)], 4, 1)
    assert joining.state.token_ids == [6]


class FailingFake(MixedFake):
    """A model whose mixed passes fail, and all passes over a token that it does not know."""

    def read_and_step(self, *_: object, **__: object) -> npt.NDArray[np.float32]:
        raise RuntimeError("no mixed pass")

    def forward(self, input_ids: npt.NDArray[np.int64], *rest: Any, **more: Any) -> npt.NDArray[np.float32]:
        if (input_ids == 40).any():
            raise RuntimeError("no such token")
        return super().forward(input_ids, *rest, **more)


@pytest.mark.parametrize("prompt", [[EOS, 30, 5], [EOS, 40, 5]])
def test_where_a_mixed_pass_fails_an_error_ends_only_those_whom_it_concerns(prompt: list[int]) -> None:
    model = FailingFake(count_up)
    rows = Rows(model.backend, 2, capacity=30)
    running, joining = row_of([EOS, 3]), row_of(prompt)
    read_whole(rows, running)
    rows.begin([joining])
    ended = rows.read_and_step(MOST_TOKENS)
    assert list(ended) == ([joining] if 40 in prompt else [])
    assert (joining.error is None) == (40 not in prompt)
    assert running.state.token_ids == [4, 5]
    while rows.stepping:
        rows.step()
    assert running.state.token_ids == [4, 5, 6, 7, 8, 9, 2]


def test_a_step_that_fails_ends_those_who_step_and_not_the_one_whose_prompt_is_read() -> None:
    class Failing(FailingFake):
        def forward_steps(self, *_: object, **__: object) -> npt.NDArray[np.float32]:
            raise RuntimeError("no step")

    rows = Rows(Failing(count_up).backend, 2, capacity=30)
    running, joining = row_of([EOS, 3]), row_of([EOS, 30, 5], max_new_tokens=1)
    read_whole(rows, running)
    rows.begin([joining])
    assert list(rows.read_and_step(MOST_TOKENS)) == [running, joining]
    assert str(running.error) == "no step"
    assert running.state.token_ids == [4]
    assert (joining.error, joining.state.token_ids) == (None, [6])
    assert rows.num_free == 2


def test_of_samples_of_one_prompt_one_that_was_cancelled_gets_no_token() -> None:
    rows = Rows(FakeModel(count_up).backend, max_rows=2, capacity=30)
    cancelled, other = row_of([EOS, 5]), row_of([EOS, 5])
    rows.begin([cancelled, other])
    cancelled.limits.cancel()
    ended = list(rows.read(MOST_TOKENS))
    assert (ended, cancelled.state.token_ids, other.state.token_ids) == ([cancelled], [], [6])


def test_logits_that_are_no_numbers_end_only_those_whose_they_are() -> None:
    def answer(tokens: list[int]) -> int | npt.NDArray[np.float32]:
        return np.full(50, np.nan, dtype=np.float32) if 40 in tokens else count_up(tokens)

    model = MixedFake(answer)
    rows = Rows(model.backend, 2, capacity=30)
    running, joining = row_of([EOS, 3]), row_of([EOS, 40, 5])
    read_whole(rows, running)
    rows.begin([joining])
    assert list(rows.read_and_step(MOST_TOKENS)) == [joining]
    assert isinstance(joining.error, BundleError)
    assert running.state.token_ids == [4, 5]
