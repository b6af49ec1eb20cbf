from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.backends.chunks import CHUNK_TOKENS, CUT_TOKENS
from biogpt_onnx.runtime.decoding.batching.piece_length import LEAST_TOKENS, MOST_TOKENS, PieceLength

ROWS = st.integers(1, 32)
SECONDS = st.floats(0, 1e6)


def read_prompts(
    lengths: PieceLength, num_rows: int, piece: Callable[[int], float], step: float = 1.0, pieces: int = 120
) -> list[int]:
    """Reads pieces between steps, each as long as it may be; returns their lengths."""
    found = []
    for _ in range(pieces):
        lengths.note_step(num_rows, step)
        found.append(lengths.most_tokens(num_rows))
        lengths.note_piece(num_rows, found[-1], piece(found[-1]))
    return found


@pytest.mark.parametrize(("num_rows", "tokens"), [(1, 4), (2, 8), (4, 12), (8, 24)])
def test_it_begins_with_about_one_and_a_half_steps_of_a_common_machine(num_rows: int, tokens: int) -> None:
    assert PieceLength(num_rows).most_tokens(num_rows) == tokens


def test_pieces_are_measured_against_the_step_of_a_full_batch() -> None:
    assert {PieceLength(8).most_tokens(rows) for rows in range(1, 9)} == {24}
    for rows in (1, 4, 8):
        # A step of all eight rows takes 2, of one row 1.
        found = read_prompts(PieceLength(8), rows, lambda tokens: 0.1 * tokens, step=(6 + rows) / 7)
        assert 0.8 * 1.3 * 2 <= 0.1 * found[-1] <= 1.3 * 2


def test_where_nobody_waits_pieces_are_as_long_as_they_may_be() -> None:
    lengths = PieceLength(1)
    read_prompts(lengths, 1, lambda _: 100.0)
    assert lengths.most_tokens(0) == CHUNK_TOKENS


def test_a_machine_as_it_was_measured_keeps_the_first_lengths() -> None:
    lengths = PieceLength(1)
    assert set(read_prompts(lengths, 1, lambda tokens: 18.5 + 1.15 * tokens, step=19.9)) == {4}


@pytest.mark.parametrize("num_rows", [1, 4, 8])
@pytest.mark.parametrize("cost", [0.02, 0.05, 0.1, 0.2, 0.35])
@pytest.mark.parametrize("fixed", [0.0, 0.5, 0.9])
def test_on_every_machine_a_piece_comes_to_take_at_most_one_and_a_half_steps(
    num_rows: int, cost: float, fixed: float
) -> None:
    found = read_prompts(PieceLength(num_rows), num_rows, lambda tokens: fixed + cost * tokens)
    last = found[-1]
    assert fixed + cost * last <= 1.3 or last == LEAST_TOKENS
    # Nor are they much shorter than need be.
    assert fixed + cost * (last + CUT_TOKENS) >= 1.0 or last == MOST_TOKENS
    assert len(set(found[-20:])) == 1


def test_a_length_that_took_too_long_is_tried_again_on_a_machine_that_became_faster() -> None:
    lengths = PieceLength(1)
    assert set(read_prompts(lengths, 1, lambda tokens: 0.2 * tokens)[-20:]) == {4}
    assert read_prompts(lengths, 1, lambda tokens: 0.05 * tokens, pieces=300)[-1] == 24


def test_pieces_that_take_far_too_long_are_short_soon() -> None:
    found = read_prompts(PieceLength(8), 8, lambda tokens: 0.3 * tokens, pieces=10)
    assert found[-1] <= 5


@given(outlier=st.floats(0, 1e9), at=st.integers(3, 50))
def test_one_outlier_changes_nothing(outlier: float, at: int) -> None:
    undisturbed, disturbed = PieceLength(2), PieceLength(2)
    for number in range(60):
        for lengths in (undisturbed, disturbed):
            is_outlier = number == at and lengths is disturbed
            lengths.note_step(2, 1.0)
            tokens = lengths.most_tokens(2)
            lengths.note_piece(2, tokens, outlier if is_outlier else 0.14 * tokens)
    assert undisturbed.most_tokens(2) == disturbed.most_tokens(2)


@given(outlier=st.floats(0, 1e9), at=st.integers(3, 50))
def test_nor_does_a_single_step_that_was_held_up(outlier: float, at: int) -> None:
    lengths = PieceLength(2)
    for number in range(60):
        lengths.note_step(2, outlier if number == at else 1.0)
        lengths.note_piece(2, lengths.most_tokens(2), 1.2)
    assert lengths.most_tokens(2) == PieceLength(2).most_tokens(2)


def test_the_short_end_of_a_prompt_does_not_make_pieces_longer() -> None:
    lengths = PieceLength(4)
    for _ in range(30):
        lengths.note_step(4, 1.0)
        lengths.note_piece(4, 3, 0.1)
    assert lengths.most_tokens(4) == 12


def test_pieces_are_longer_the_more_prompts_wait_and_teach_nothing_then() -> None:
    lengths = PieceLength(2)
    assert [lengths.most_tokens(2, num_waiting) for num_waiting in (0, 1, 2, 7, 100)] == [8, 16, 64, 72, MOST_TOKENS]
    for _ in range(30):
        lengths.note_step(2, 1.0)
        lengths.note_piece(2, lengths.most_tokens(2, 3), 100.0)
    assert lengths.most_tokens(2) == 8


def test_what_was_learned_with_few_rows_holds_for_many() -> None:
    lengths = PieceLength(8)
    read_prompts(lengths, 1, lambda tokens: 0.05 * tokens)
    assert lengths.most_tokens(8) > PieceLength(8).most_tokens(8)


@given(
    st.lists(st.tuples(ROWS, SECONDS, st.one_of(st.none(), st.integers(1, 128))), max_size=200),
    ROWS,
)
def test_a_length_is_always_within_its_bounds_and_changes_smoothly(
    noted: list[tuple[int, float, int | None]], rows: int
) -> None:
    lengths = PieceLength(32)
    for num_rows, seconds, tokens in noted:
        before = lengths.most_tokens(rows)
        if tokens is None:
            lengths.note_step(num_rows, seconds)
        else:
            lengths.note_piece(num_rows, tokens, seconds)
        after = lengths.most_tokens(rows)
        assert LEAST_TOKENS <= after <= MOST_TOKENS
        assert after % CUT_TOKENS == 0
        if num_rows == rows:
            assert before / 2 - CUT_TOKENS <= after <= before * 1.25 + CUT_TOKENS
