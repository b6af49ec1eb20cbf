import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.decoding.drafting.lookup import Draft, NgramLookup

# Few different tokens, so that most n-grams come again; loops besides, which chance seldom makes.
loops = st.tuples(*[st.lists(st.integers(0, 9), max_size=6)] * 2, st.integers(0, 4))
texts = st.one_of(
    st.lists(st.integers(0, 3), max_size=40),
    st.lists(st.integers(0, 20), max_size=60),
    loops.map(lambda loop: loop[0] + loop[1] * loop[2]),
)
sizes = st.integers(1, 4)


def propose(ids: list[int], max_tokens: int = 8, max_ngram_size: int = 3) -> Draft:
    draft = NgramLookup(ids, max_ngram_size).propose(max_tokens)
    assert draft is not None
    return draft


def positions_after(ids: list[int], size: int) -> list[int]:
    """Where the last `size` tokens stood before, the index of the token after them; found the slow way."""
    ngram = ids[len(ids) - size :]
    return [end for end in range(size, len(ids)) if ids[end - size : end] == ngram]


def continuation(ids: list[int], position: int, length: int) -> list[int]:
    """What followed there; on and on if the text has just said it twice."""
    followed = ids[position:]
    repeats = ids[: -len(followed)][-len(followed) :] == followed
    return (followed * length if repeats else followed)[:length]


@given(texts, sizes)
def test_the_match_is_the_longest_that_stands_earlier_and_a_single_token_only_if_the_past_agrees(
    ids: list[int], max_ngram_size: int
) -> None:
    found = [size for size in range(1, min(max_ngram_size, len(ids)) + 1) if positions_after(ids, size)]
    longest = max(found, default=0)
    if longest == 1 and len({ids[position] for position in positions_after(ids, 1)[-3:]}) > 1:
        longest = 0
    lookup = NgramLookup(ids, max_ngram_size)
    assert lookup.matched() == longest
    draft = lookup.propose(5)
    assert (draft.matched if draft else 0) == longest


@given(texts, sizes, st.integers(1, 9))
def test_a_draft_is_what_came_after_the_match_before(ids: list[int], max_ngram_size: int, max_tokens: int) -> None:
    draft = NgramLookup(ids, max_ngram_size).propose(max_tokens)
    if draft is None:
        return
    count = len(draft.token_ids)
    assert 1 <= count <= max_tokens
    recent = positions_after(ids, draft.matched)[-3:]
    assert any(continuation(ids, position, count) == list(draft.token_ids) for position in recent)


def test_the_place_of_the_past_that_counts_most_is_followed() -> None:
    ids = [1, 2, 3, 9, 1, 2, 4, 8, 1, 2, 4, 7, 1, 2]
    assert NgramLookup(ids, 2).propose(4) == Draft(token_ids=(4, 7, 1, 2), matched=2)


@given(texts, texts, sizes)
def test_tokens_added_one_by_one_are_found_like_a_prompt(prompt: list[int], new: list[int], size: int) -> None:
    grown = NgramLookup(prompt, size)
    for token_id in new:
        grown.extend([token_id])
    assert grown.propose(6) == NgramLookup(prompt + new, size).propose(6)
    grown.extend([1, 2, 1])
    assert grown.propose(6) == NgramLookup([*prompt, *new, 1, 2, 1], size).propose(6)


def test_a_prompt_may_be_an_array() -> None:
    ids = [5, 6, 7, 8, 5, 6]
    assert NgramLookup(np.array(ids, dtype=np.int64), 3).propose(4) == propose(ids, 4)
    assert NgramLookup(np.zeros(0, dtype=np.int64), 3).propose(4) is None


def test_the_guess_is_what_came_next() -> None:
    assert propose([5, 6, 7, 8, 9, 1, 5, 6], 3) == Draft((7, 8, 9), matched=2)


def test_the_end_of_the_text_is_no_match_for_itself() -> None:
    lookup = NgramLookup([5, 6, 7], 3)
    assert lookup.matched() == 0
    assert lookup.propose(4) is None


def test_no_tokens_no_guess() -> None:
    assert NgramLookup([5, 5, 5, 5], 3).propose(0) is None


def test_a_longer_match_is_believed_rather_than_a_more_recent_one() -> None:
    assert propose([1, 5, 6, 7, 2, 6, 8, 3, 1, 5, 6], 1) == Draft((7,), matched=3)


def test_where_the_past_disagrees_the_most_recent_is_followed() -> None:
    assert propose([1, 2, 10, 11, 12, 1, 2, 20, 21, 22, 1, 2], 6).token_ids[:3] == (20, 21, 22)


def test_two_that_agree_come_before_one_older_that_does_not() -> None:
    assert propose([1, 2, 10, 5, 1, 2, 20, 6, 1, 2, 20, 7, 1, 2], 1).token_ids == (20,)


def test_a_word_that_is_followed_by_anything_is_no_match() -> None:
    assert NgramLookup([9, 1, 9, 2, 9, 3, 9], 3).propose(4) is None


def test_the_first_token_of_a_rare_name_is_a_match() -> None:
    assert propose([4, 5, 6, 7, 4], 2) == Draft((5, 6), matched=1)


def test_a_loop_is_guessed_on_beyond_the_end_of_the_text() -> None:
    assert propose([7, 3, 4, 3, 4], 5).token_ids == (3, 4, 3, 4, 3)


def test_a_token_that_came_twice_is_no_loop_yet() -> None:
    assert propose([7, 3, 4, 3], 5).token_ids == (4, 3)


def test_the_index_of_a_long_text_holds_no_more_of_it_than_is_looked_up() -> None:
    ids = np.random.default_rng(0).integers(0, 40_000, 4_000)
    lookup = NgramLookup(ids, 3)
    assert sum(map(len, lookup._positions)) <= (1 + 2 + 3) * len(ids)
