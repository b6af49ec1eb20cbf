"""Beams as branches of trees of tokens: a tree for each prompt, all of which grow in one pass."""

from collections.abc import Sequence
from typing import Generic, NamedTuple

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.continuation_tree import ROOT
from biogpt_onnx.runtime.backends.cpu.decoder import TreeCacheT, TreeDecoder
from biogpt_onnx.runtime.backends.cpu.trees.token_tree import TokenTree, append_to_trees
from biogpt_onnx.runtime.backends.host_scores import HostTokenScores
from biogpt_onnx.runtime.backends.protocol import TokenScores


class _Beam(NamedTuple):
    """The number of a beam's tree, and the node of its last token."""

    tree: int
    node: int


class TreeBeams(Generic[TreeCacheT]):
    """The beams of one or several prompts: each prompt is stored once, and no beam is copied.

    A tree grows as it does alone, to the last bit, whatever others grow beside it: it has its own row of the cache and
    its own bias. A row of a single token would be computed by another kernel in a pass of its own than beside rows of
    several, which rounds differently. So a token that is all there is of a tree's step is read twice, alone or not.

    See `Beams`.

    Args:
        model: the model, which reads the tokens; with several rows, it must take padding.
        cache: cache with a row for each prompt, which have read the prompts and have room for the tokens of all beams.
    """

    def __init__(self, model: TreeDecoder[TreeCacheT], cache: TreeCacheT) -> None:
        self._model, self._cache = model, cache
        self._trees = [TokenTree(model, cache.row(row)) for row in range(len(cache.lengths))]  # a row's tree
        self._beams = [_Beam(tree, ROOT) for tree in range(len(self._trees))]

    def step(self, parents: Sequence[int], token_ids: Sequence[int]) -> TokenScores:
        """Replaces the beams by continuations of theirs; see `Beams`."""
        continued = [self._beams[parent] for parent in parents]
        numbers = self._end_trees_but({beam.tree for beam in continued})
        of_tree: list[list[int]] = [[] for _ in self._trees]  # the new beams of each tree
        for number, beam in enumerate(continued):
            of_tree[numbers[beam.tree]].append(number)
        nodes = [
            tree.keep([continued[number].node for number in new])
            for tree, new in zip(self._trees, of_tree, strict=True)
        ]
        firsts = [tree.num_nodes for tree in self._trees]
        logits = self._append([[token_ids[number] for number in new] for new in of_tree], nodes)
        order = np.argsort([number for new in of_tree for number in new], kind="stable")
        beams = [_Beam(tree, firsts[tree] + place) for tree, new in enumerate(of_tree) for place in range(len(new))]
        self._beams = [beams[place] for place in order.tolist()]
        is_in_order = bool(np.all(order[:-1] < order[1:]))
        return HostTokenScores(logits if is_in_order else logits[order])

    def _end_trees_but(self, going_on: set[int]) -> dict[int, int]:
        """Ends all other trees; returns the new number of each tree that goes on.

        The last tree's row takes the place of one that ends, so that those that go on are in front.
        """
        numbers = list(range(len(self._trees)))
        for ended in sorted(set(numbers) - going_on, reverse=True):
            last = len(numbers) - 1
            if ended != last:
                self._cache.move(last, ended)
                self._trees[ended], numbers[ended] = self._trees[last], numbers[last]
                self._trees[ended].move_to(self._cache.row(ended))
            self._trees.pop()
            numbers.pop()
        if len(numbers) < len(self._cache.lengths):
            self._cache = self._cache.front(len(numbers))
        return {number: row for row, number in enumerate(numbers)}

    def _append(self, token_ids: Sequence[Sequence[int]], parents: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Adds nodes to each tree in one pass; returns the logits after each, [nodes of all trees, vocab]."""
        return append_to_trees(
            self._model,
            self._cache,
            self._trees,
            [[*tokens, *tokens[: len(tokens) == 1]] for tokens in token_ids],
            [[*nodes, *nodes[: len(nodes) == 1]] for nodes in parents],
            [range(len(tokens)) for tokens in token_ids],
        )
