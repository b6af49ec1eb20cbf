from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.backends.chunks import CUT_TOKENS
from biogpt_onnx.runtime.decoding.batching.mixed_piece_length import MixedPieceLength
from biogpt_onnx.runtime.decoding.batching.piece_length import LEAST_TOKENS, MOST_TOKENS

SECONDS = st.floats(0, 1e6)


def step_of(num_rows: int) -> float:
    return (9 + num_rows) / 10


def read_prompts(
    lengths: MixedPieceLength, num_rows: int, of_piece: Callable[[int, int], float], pieces: int = 60, prompt: int = 512
) -> list[float]:
    """Reads prompts beside rows; returns the times of the passes, in steps of the rows."""
    found, before = [], 0
    for _ in range(pieces):
        tokens = min(lengths.most_tokens(num_rows, before), prompt - before)
        seconds = step_of(num_rows) + of_piece(before, tokens)
        lengths.note_piece(num_rows, before, tokens, seconds)
        found.append(seconds / step_of(num_rows))
        before = (before + tokens) % prompt
    return found


@pytest.mark.parametrize(("num_rows", "tokens"), [(1, 20), (7, 36)])
def test_the_first_piece_is_that_of_a_common_machine(num_rows: int, tokens: int) -> None:
    assert MixedPieceLength().most_tokens(num_rows) == tokens


@pytest.mark.parametrize("num_rows", [1, 4, 7])
@pytest.mark.parametrize("of_token", [0.005, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("double", [600, 2000, 10_000])
def test_a_pass_takes_at_most_two_and_a_half_steps_of_its_rows(num_rows: int, of_token: float, double: int) -> None:
    lengths = MixedPieceLength()
    lengths.note_step(num_rows, step_of(num_rows))
    found = read_prompts(
        lengths, num_rows, lambda before, tokens: of_token * tokens * (1 + (before + tokens / 2) / double)
    )
    assert max(found[3:]) <= 2.5
    # Nor are pieces much shorter than need be.
    assert max(found) >= 1.8 or lengths.most_tokens(num_rows) == MOST_TOKENS


def test_a_piece_whose_first_tokens_cost_nothing_is_not_guessed_too_long() -> None:
    # Reading the weights takes as long as computing with the first 30 tokens.
    lengths = MixedPieceLength()
    lengths.note_step(1, step_of(1))
    found = read_prompts(lengths, 1, lambda _, tokens: 0.02 * max(0, tokens - 30))
    assert max(found) <= 2.5
    assert max(found[-6:]) >= 1.8


def test_pieces_of_a_machine_that_became_faster_grow_from_the_shortest() -> None:
    lengths = MixedPieceLength()
    lengths.note_step(1, step_of(1))
    read_prompts(lengths, 1, lambda _, tokens: 0.5 * tokens)
    assert lengths.most_tokens(1) == LEAST_TOKENS
    read_prompts(lengths, 1, lambda _, tokens: 0.02 * tokens)
    assert lengths.most_tokens(1) >= 50


def test_what_was_learned_beside_one_row_is_not_too_long_beside_many() -> None:
    lengths = MixedPieceLength()
    for num_rows in (1, 7):
        lengths.note_step(num_rows, step_of(num_rows))
        found = read_prompts(lengths, num_rows, lambda _, tokens: 0.02 * max(0, tokens - 10))
        assert max(found) <= 2.5


def test_where_no_step_of_so_many_rows_was_measured_that_of_others_tells() -> None:
    lengths = MixedPieceLength()
    lengths.note_step(1, step_of(1))
    found = read_prompts(lengths, 7, lambda _, tokens: 0.05 * tokens)
    assert 1.8 <= max(found[-6:]) <= 2.3


def test_nothing_is_learned_before_a_step_was_measured() -> None:
    lengths = MixedPieceLength()
    lengths.note_piece(7, 0, 39, 1000.0)
    assert lengths.most_tokens(7) == 36


def test_the_short_end_of_a_prompt_teaches_nothing() -> None:
    lengths = MixedPieceLength()
    lengths.note_step(1, 1.0)
    for _ in range(9):
        lengths.note_piece(1, 0, 5, 1.0)
    assert lengths.most_tokens(1) == 20


@given(outlier=st.floats(0, 1e9), at=st.integers(3, 50))
def test_one_outlier_changes_nothing(outlier: float, at: int) -> None:
    lengths = MixedPieceLength()
    lengths.note_step(2, 1.0)
    for number in range(60):
        tokens = lengths.most_tokens(2)
        lengths.note_piece(2, 0, tokens, outlier if number == at else 1 + 0.05 * tokens)
        lengths.note_step(2, outlier if number == at else 1.0)
        assert number < 3 or lengths.most_tokens(2) == 20  # which take as long as a step


def test_pieces_are_longer_the_more_prompts_wait() -> None:
    found = [MixedPieceLength().most_tokens(1, num_waiting=waiting) for waiting in (0, 1, 2, 100)]
    assert found == [20, 40, 64, MOST_TOKENS]


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 900), st.none() | st.integers(1, 128), SECONDS)))
def test_a_length_is_always_within_its_bounds(noted: list[tuple[int, int, int | None, float]]) -> None:
    lengths = MixedPieceLength()
    for num_rows, before, tokens, seconds in noted:
        if tokens is None:
            lengths.note_step(num_rows, seconds)
        else:
            lengths.note_piece(num_rows, before, tokens, seconds)
        found_tokens = lengths.most_tokens(num_rows, before)
        assert LEAST_TOKENS <= found_tokens <= MOST_TOKENS
        assert found_tokens % CUT_TOKENS == 0
