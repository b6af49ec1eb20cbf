import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.decoding.processors.repetition import NoRepeatNgram, OccurrencePenalty, RepetitionPenalty
from makers.states import sequence_state


def excluded(size: int, *ids: int) -> list[int]:
    logits = np.zeros((1, 10), dtype=np.float32)
    NoRepeatNgram(size)([sequence_state(ids)], logits)
    return np.flatnonzero(np.isneginf(logits[0])).tolist()


def test_a_token_of_the_prompt_or_the_continuation_becomes_less_likely_once_however_often_it_was_said() -> None:
    logits = np.array([[4, 4, 4, -4, -4]] * 2, dtype=np.float32)
    RepetitionPenalty(2.0)([sequence_state([1, 1, 3], new=[1]), sequence_state([0])], logits)
    assert logits.tolist() == [[4, 2, 4, -8, -4], [2, 4, 4, -4, -4]]


def test_a_penalty_below_one_makes_repetition_likelier() -> None:
    logits = np.array([[4, -4]], dtype=np.float32)
    RepetitionPenalty(0.5)([sequence_state([0, 1])], logits)
    assert logits.tolist() == [[8, -2]]


@pytest.mark.parametrize("penalty", [1e-300, 1e300])
def test_a_penalty_beyond_float32_leaves_numbers(penalty: float) -> None:
    logits = np.array([[4, -4, 0]], dtype=np.float32)
    RepetitionPenalty(penalty)([sequence_state([0, 1, 2])], logits)
    assert np.isfinite(logits).all()


def test_what_is_excluded_stays_excluded_under_any_penalty() -> None:
    for penalty in (0.5, 2.0):
        logits = np.full((1, 3), -np.inf, dtype=np.float32)
        RepetitionPenalty(penalty)([sequence_state([0, 1])], logits)
        assert np.isneginf(logits).all()


def test_no_token_completes_an_ngram_a_second_time() -> None:
    assert excluded(3, 1, 2, 3, 4, 1, 2, 5, 1, 2) == [3, 5]
    assert excluded(2, 1, 2, 3, 4, 1, 2, 5, 1, 2) == [3, 5]
    assert excluded(4, 1, 2, 3, 4, 1, 2, 5, 1, 2) == []
    assert excluded(2, 7, 7) == [7]


def test_an_ngram_of_one_forbids_all_that_was_said() -> None:
    assert excluded(1, 5, 3, 5) == [3, 5]


@pytest.mark.parametrize("size", [3, 4, 9])
def test_a_text_shorter_than_an_ngram_repeats_none(size: int) -> None:
    assert excluded(size, 4, 4) == []


def test_rows_are_judged_by_their_own_text() -> None:
    logits = np.zeros((2, 6), dtype=np.float32)
    NoRepeatNgram(2)([sequence_state([1, 2, 1]), sequence_state([1], new=[3, 4, 1])], logits)
    assert [np.flatnonzero(np.isneginf(row)).tolist() for row in logits] == [[2], [3]]


penalties = st.floats(-2, 2, width=16)
rows = st.lists(
    st.tuples(st.lists(st.integers(0, 7), min_size=1), st.lists(st.integers(0, 7), max_size=12)), min_size=1
)


@given(rows=rows, presence=penalties, frequency=penalties, seed=st.integers(0, 99))
def test_occurrences_are_penalised_as_the_formula_says(
    rows: list[tuple[list[int], list[int]]], presence: float, frequency: float, seed: int
) -> None:
    before = np.random.default_rng(seed).normal(size=(len(rows), 8)).astype(np.float32)
    logits = before.copy()
    states = [sequence_state([9, *prompt], new=new, max_new_tokens=20) for prompt, new in rows]
    OccurrencePenalty(presence, frequency)(states, logits)
    for (_, new), row, was in zip(rows, logits, before, strict=True):
        counts = np.bincount(np.array(new, dtype=np.int64), minlength=8)
        expected = was - presence * (counts > 0) - frequency * counts
        np.testing.assert_allclose(row, expected, rtol=1e-6, atol=1e-5)
        assert (row[counts == 0] == was[counts == 0]).all()


def test_what_is_excluded_stays_excluded_whatever_its_occurrences() -> None:
    logits = np.full((1, 3), -np.inf, dtype=np.float32)
    OccurrencePenalty(-2.0, -2.0)([sequence_state([0], new=[1, 1])], logits)
    assert np.isneginf(logits).all()
