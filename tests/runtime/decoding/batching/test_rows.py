import pytest

from biogpt_onnx.runtime.decoding.batching.piece_length import MOST_TOKENS
from biogpt_onnx.runtime.decoding.batching.row import Row
from biogpt_onnx.runtime.decoding.batching.rows import Rows
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.errors import ConfigError
from makers.models import FakeCache, FakeModel

EOS = 2


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


@pytest.mark.parametrize("prompt", [[EOS, 5, 6, 7], [EOS, 5], [EOS, 5, 6, 7, 8]])
def test_a_prefix_is_not_read_again(prompt: list[int]) -> None:
    model = FakeModel(count_up)
    prefix = Prefix(model.backend, [EOS, 5, 6, 7])
    before = len(model.shapes)
    rows = Rows(model.backend, max_rows=1, capacity=30)
    row = row_of(prompt)
    row.state.prefix = prefix
    read_whole(rows, row)
    read = sum(shape[1] for shape in model.shapes[before:])
    assert read < len(prompt) or len(prompt) == 2
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
