from collections.abc import Iterator

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


def paths(draft: Draft) -> Iterator[list[int]]:
    """The tokens from the beginning to each node."""
    found: list[list[int]] = []
    for token_id, parent in zip(draft.token_ids, draft.parents, strict=True):
        found.append([*(found[parent] if parent >= 0 else []), token_id])
    yield from found


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
def test_every_path_is_what_came_after_the_match_before(ids: list[int], max_ngram_size: int, max_tokens: int) -> None:
    draft = NgramLookup(ids, max_ngram_size).propose(max_tokens)
    if draft is None:
        return
    recent = positions_after(ids, draft.matched)[-3:]
    for path in paths(draft):
        assert any(continuation(ids, position, len(path)) == path for position in recent)


@given(texts, sizes, st.integers(1, 9))
def test_a_draft_is_a_tree_within_its_bounds(ids: list[int], max_ngram_size: int, max_tokens: int) -> None:
    draft = NgramLookup(ids, max_ngram_size).propose(max_tokens)
    if draft is None:
        return
    assert 1 <= len(draft.token_ids) == len(draft.parents) <= max_tokens
    assert all(-1 <= parent < node for node, parent in enumerate(draft.parents))
    children = list(zip(draft.parents, draft.token_ids, strict=True))
    assert len(set(children)) == len(children)
    assert draft.depth == max(map(len, paths(draft)))


@given(texts, sizes, st.integers(1, 9))
def test_no_token_is_left_out_that_there_was_room_for(ids: list[int], max_ngram_size: int, max_tokens: int) -> None:
    draft = NgramLookup(ids, max_ngram_size).propose(max_tokens)
    if draft is None or len(draft.token_ids) == max_tokens:
        return
    recent = positions_after(ids, draft.matched)[-3:]
    known = [continuation(ids, position, max_tokens) for position in recent]
    assert {tuple(path) for path in paths(draft)} == {
        tuple(tokens[:length]) for tokens in known for length in range(1, len(tokens) + 1)
    }


@given(texts, sizes, st.integers(1, 9))
def test_without_branches_it_goes_on_with_the_likeliest_token_alone(
    ids: list[int], max_ngram_size: int, max_tokens: int
) -> None:
    lookup = NgramLookup(ids, max_ngram_size)
    tree, chain = lookup.propose(max_tokens), lookup.propose(max_tokens, branches=False)
    if tree is None or chain is None:
        assert tree is chain
        return
    count = len(chain.token_ids)
    assert chain.parents == tuple(range(-1, count - 1))
    assert (chain.token_ids[0], chain.matched) == (tree.token_ids[0], tree.matched)
    assert count <= max_tokens
    recent = positions_after(ids, chain.matched)[-3:]
    assert any(continuation(ids, position, count) == list(chain.token_ids) for position in recent)
    if len(recent) == 1:
        assert chain == tree


def test_without_branches_the_place_of_the_past_that_counts_most_is_followed() -> None:
    ids = [1, 2, 3, 9, 1, 2, 4, 8, 1, 2, 4, 7, 1, 2]
    chain = NgramLookup(ids, 2).propose(4, branches=False)
    assert chain == Draft(token_ids=(4, 7, 1, 2), parents=(-1, 0, 1, 2), matched=2)


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
    assert propose([5, 6, 7, 8, 9, 1, 5, 6], 3) == Draft((7, 8, 9), (-1, 0, 1), matched=2)


def test_the_end_of_the_text_is_no_match_for_itself() -> None:
    lookup = NgramLookup([5, 6, 7], 3)
    assert lookup.matched() == 0
    assert lookup.propose(4) is None


def test_no_tokens_no_guess() -> None:
    assert NgramLookup([5, 5, 5, 5], 3).propose(0) is None


def test_a_longer_match_is_believed_rather_than_a_more_recent_one() -> None:
    assert propose([1, 5, 6, 7, 2, 6, 8, 3, 1, 5, 6], 1) == Draft((7,), (-1,), matched=3)


def test_where_the_past_disagrees_each_continuation_has_a_branch_and_the_most_recent_is_first() -> None:
    draft = propose([1, 2, 10, 11, 12, 1, 2, 20, 21, 22, 1, 2], 6)
    assert draft.token_ids[0] == 20
    assert {(20, 21), (10, 11)} <= {tuple(path) for path in paths(draft)}
    assert draft.depth >= 3


def test_branches_share_what_they_have_in_common() -> None:
    draft = propose([1, 2, 10, 11, 7, 1, 2, 10, 12, 8, 1, 2], 4)
    assert sorted(map(tuple, paths(draft))) == [(10,), (10, 11), (10, 12), (10, 12, 8)]


def test_the_most_recent_continuation_has_most_of_the_nodes() -> None:
    past = [[1, 2, *range(first, first + 9)] for first in (10, 20, 30)]
    draft = propose([*past[0], *past[1], *past[2], 1, 2], 8)
    counts = [sum(token_id // 10 == branch for token_id in draft.token_ids) for branch in (3, 2, 1)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2] > 0


def test_two_that_agree_come_before_one_older_that_does_not() -> None:
    assert propose([1, 2, 10, 5, 1, 2, 20, 6, 1, 2, 20, 7, 1, 2], 1).token_ids == (20,)


def test_a_word_that_is_followed_by_anything_is_no_match() -> None:
    assert NgramLookup([9, 1, 9, 2, 9, 3, 9], 3).propose(4) is None


def test_the_first_token_of_a_rare_name_is_a_match() -> None:
    assert propose([4, 5, 6, 7, 4], 2) == Draft((5, 6), (-1, 0), matched=1)


def test_a_loop_is_guessed_on_beyond_the_end_of_the_text() -> None:
    assert propose([7, 3, 4, 3, 4], 5).token_ids == (3, 4, 3, 4, 3)


def test_a_token_that_came_twice_is_no_loop_yet() -> None:
    assert propose([7, 3, 4, 3], 5).token_ids == (4, 3)
