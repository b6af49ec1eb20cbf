import pytest

from biogpt_onnx.runtime.decoding.selection.constraints import TokenTrie
from biogpt_onnx.runtime.errors import ConfigError


def test_a_trie_allows_what_continues_one_of_its_sequences() -> None:
    trie = TokenTrie([(5, 6, 2), (5, 7, 2), (9, 2)])
    assert set(trie([])) == {5, 9}
    assert set(trie([5])) == {6, 7}
    assert trie([5, 6]) == (2,)
    assert trie([5, 6, 2]) == ()
    assert trie([8]) == ()


def test_one_sequence_may_begin_another() -> None:
    trie = TokenTrie([(5, 2), (5, 6, 2)])
    assert set(trie([5])) == {2, 6}


@pytest.mark.parametrize("sequences", [[], [()], [(1,), ()]])
def test_an_empty_trie_or_sequence_is_refused(sequences: list[tuple[int, ...]]) -> None:
    with pytest.raises(ConfigError, match="allowed"):
        TokenTrie(sequences)
