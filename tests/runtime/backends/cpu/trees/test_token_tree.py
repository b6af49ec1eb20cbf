from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.backends.continuation_tree import ROOT
from biogpt_onnx.runtime.backends.cpu.trees.token_tree import TokenTree
from makers.models import FakeCache, FakeModel

VOCAB = 97


def fingerprint(tokens: list[int]) -> int:
    """A number that two different pasts hardly share."""
    return hash(tuple(tokens)) % VOCAB


def planted(root: list[int], room: int = 400) -> tuple[TokenTree[FakeCache], FakeCache]:
    model = FakeModel(fingerprint, vocab_size=VOCAB, max_positions=1000)
    cache = model.new_cache(1, len(root) + room)
    cache.rows[0] += root
    return TokenTree[FakeCache](model, cache), cache


def test_each_branch_sees_the_root_and_its_own_ancestors_alone() -> None:
    tree, _ = planted([2, 5])
    logits = tree.append([10, 11, 12], [ROOT, ROOT, 0])
    assert logits.argmax(axis=1).tolist() == [
        fingerprint([2, 5, 10]),
        fingerprint([2, 5, 11]),
        fingerprint([2, 5, 10, 12]),
    ]
    logits = tree.append([20, 21], [1, 2])
    assert logits.argmax(axis=1).tolist() == [fingerprint([2, 5, 11, 20]), fingerprint([2, 5, 10, 12, 21])]


def test_only_the_requested_logits_come_back() -> None:
    tree, _ = planted([2])
    assert tree.append([10, 11, 12], [ROOT, 0, 1], requested=[2]).argmax() == fingerprint([2, 10, 11, 12])


@given(st.data())
def test_no_branch_notices_how_others_come_and_go(data: st.DataObject) -> None:
    tree, cache = planted([2, 3], room=2000)
    beams: list[tuple[int, list[int]]] = [(ROOT, [])]
    for _ in range(data.draw(st.integers(1, 40))):
        width = data.draw(st.integers(1, 5))
        chosen = data.draw(st.lists(st.sampled_from(beams), min_size=width, max_size=width))
        parents = tree.keep([node for node, _ in chosen])
        tokens = data.draw(st.lists(st.integers(4, 90), min_size=width, max_size=width))
        logits = tree.append(tokens, parents)
        paths = [[*path, token] for (_, path), token in zip(chosen, tokens, strict=True)]
        assert logits.argmax(axis=1).tolist() == [fingerprint([2, 3, *path]) for path in paths]
        beams = list(zip(range(tree.num_nodes - width, tree.num_nodes), paths, strict=True))
    assert cache.lengths[0] == 2 + tree.num_nodes


@pytest.mark.parametrize("beams", [2, 8])
def test_room_is_bounded_by_what_lives(beams: int) -> None:
    tree, _ = planted([2], room=3000)
    nodes = [ROOT] * beams
    for step in range(300):
        # All but one die at every step, as beams mostly do.
        parents = tree.keep([nodes[step % beams]] * beams)
        tree.append(list(range(beams)), parents)
        nodes = list(range(tree.num_nodes - beams, tree.num_nodes))
    assert tree.num_nodes < 300 + 64 + 2 * beams


def test_few_dead_are_not_worth_moving_the_living(monkeypatch: pytest.MonkeyPatch) -> None:
    tree, cache = planted([2])
    moves: list[Any] = []
    monkeypatch.setattr(cache, "keep_tokens", moves.append)
    nodes = list(range(5))
    tree.append([1, 2, 3, 4, 5], [ROOT] * 5)
    assert tree.keep(nodes[4:]) == [4]
    assert moves == []


def test_masks_are_as_wide_as_what_the_cache_holds() -> None:
    tree, cache = planted(list(range(20)))
    tree.append([1], [ROOT])
    np.testing.assert_array_equal(cache.lengths, [21])
