from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.runtime.tokenizer import bpe
from biogpt_onnx.runtime.tokenizer.bpe import BytePairEncoder

PARTS = ("a", "b", "c", "ab", "ba", "aa", "bb", "abc", "aab", "aaa", "abab")
PAIRS = st.tuples(st.sampled_from(PARTS), st.sampled_from((*PARTS, *(part + "</w>" for part in PARTS))))


def merge_everywhere(symbols: list[str], left: str, right: str) -> list[str]:
    merged, position = [], 0
    while position < len(symbols):
        found = symbols[position : position + 2] == [left, right]
        merged.append(left + right if found else symbols[position])
        position += 2 if found else 1
    return merged


def merge_in_passes(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """The definition, as slow as it reads."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    symbols = [*word[:-1], word[-1] + "</w>"]
    while True:
        known = [pair for pair in pairwise(symbols) if pair in ranks]
        if not known:
            return symbols
        symbols = merge_everywhere(symbols, *min(known, key=ranks.__getitem__))


@settings(max_examples=200, deadline=None)
@given(st.lists(PAIRS, max_size=30), st.text("abcx", min_size=1, max_size=150))
def test_words_of_any_length_are_merged_as_defined_whatever_the_merges(
    merges: list[tuple[str, str]], word: str
) -> None:
    assert BytePairEncoder(merges).split(word) == merge_in_passes(word, merges)


@settings(max_examples=200, deadline=None)
@given(st.lists(PAIRS, max_size=30), st.text("abcx", min_size=1, max_size=40))
def test_the_two_algorithms_agree(merges: list[tuple[str, str]], word: str) -> None:
    symbols = [*word[:-1], word[-1] + "</w>"]
    encoder = BytePairEncoder(merges)
    assert bpe._LongWord(list(symbols), encoder._ranks).merged() == bpe._merge_short(symbols, encoder._ranks)


@pytest.mark.parametrize("repeats", [1, 100])
def test_a_pair_that_a_merge_creates_waits_for_the_end_of_the_pass_though_it_was_learned_first(repeats: int) -> None:
    # After the first "b c" of a pass "a bc" could be merged at once, which would be right here; but "bc b" must wait
    # until the pass has turned the second "b c" into "bc", and is then not there any more.
    encoder = BytePairEncoder([("bc", "b"), ("b", "c")])
    assert encoder.split("xbcbcx" * repeats) == merge_in_passes("xbcbcx" * repeats, [("bc", "b"), ("b", "c")])
    assert encoder.split("xbcbcx")[:3] == ["x", "bc", "bc"]


def test_of_a_merge_that_is_listed_twice_the_later_place_counts() -> None:
    assert BytePairEncoder([("a", "b"), ("b", "c"), ("a", "b")]).split("abcx")[:2] == ["a", "bc"]


def test_equal_neighbours_are_merged_from_the_left() -> None:
    assert BytePairEncoder([("a", "a")]).split("aaax") == ["aa", "a", "x</w>"]
    assert BytePairEncoder([("a", "a")]).split("a" * 101 + "x") == ["aa"] * 50 + ["a", "x</w>"]


def test_a_word_of_one_character_is_one_symbol() -> None:
    assert BytePairEncoder([]).split("a") == ["a</w>"]
