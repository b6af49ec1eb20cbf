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


def test_a_room_in_which_a_sequence_is_cut_off_is_refused() -> None:
    trie = TokenTrie([(5, 2), (5, 6, 7, 2), (9, 8, 3)])
    # The ending token may be missing.
    trie.check_room(3, {2})
    trie.check_room(4, ())
    with pytest.raises(ConfigError, match="has 3 tokens, and there is room for 2: raise max_new_tokens"):
        trie.check_room(2, {2})
    with pytest.raises(ConfigError, match="has 4 tokens"):
        trie.check_room(3, ())
