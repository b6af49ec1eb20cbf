import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.runtime.tokenizer import bpe
from biogpt_onnx.runtime.tokenizer.bpe import BytePairEncoder

SEEDS = st.integers(0, 2**32 - 1)


def table_and_word(seed: int, most_characters: int) -> tuple[list[tuple[str, str]], str]:
    """A table of merges that build on each other, in any order, and a word that most of them can be applied to."""
    chance = random.Random(seed)  # noqa: S311 -- a sample, not a secret
    symbols, merges = list("abc"), list[tuple[str, str]]()
    for _ in range(chance.randint(1, 30)):
        left, right = chance.choice(symbols), chance.choice(symbols) + chance.choice(["", "", "", "</w>"])
        merges.append((left, right))
        symbols += [] if right.endswith("</w>") else [left + right]
    if chance.random() < 0.5:  # not every table is as learned
        chance.shuffle(merges)
    letters = chance.choice(["ab", "abc", "abcx", "aaab"])
    return merges, "".join(chance.choices(letters, k=chance.randint(1, most_characters)))


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
@given(SEEDS)
def test_words_of_any_length_are_merged_as_defined_whatever_the_merges(seed: int) -> None:
    merges, word = table_and_word(seed, 300)
    assert BytePairEncoder(merges).split(word) == merge_in_passes(word, merges)


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_the_two_algorithms_agree(seed: int) -> None:
    merges, word = table_and_word(seed, 80)
    symbols = [*word[:-1], word[-1] + "</w>"]
    encoder = BytePairEncoder(merges)
    assert bpe._LongWord(list(symbols), encoder._ranks).merged() == bpe._merge_short(symbols, encoder._ranks)


def test_the_words_of_these_tests_are_long_and_are_merged() -> None:
    cases = [table_and_word(seed, 300) for seed in range(100)]
    assert sum(len(word) > 64 for _, word in cases) > 50
    assert sum(len(BytePairEncoder(merges).split(word)) < 0.9 * len(word) for merges, word in cases) > 50


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
