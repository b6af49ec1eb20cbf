"""The tree of tokens: sequences with a common beginning, as branches in one row of a cache.

Every new token is stored after the last one in the cache, whatever its branch, and a mask lets it attend to its own
ancestors alone. So nothing is copied when branches part, and nothing is moved when one ends. The mask is that of
SpecInfer (Miao et al. 2023, https://arxiv.org/abs/2305.09781), here for beams and scored continuations.
"""

from collections.abc import Sequence
from typing import Generic

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.continuation_tree import ROOT
from biogpt_onnx.runtime.backends.cpu.decoder import TreeCacheT, TreeDecoder

_LEAST_DEAD = 64
"""Most dead nodes that are always left in place: to mask them costs less than to move the living ones."""


class TokenTree(Generic[TreeCacheT]):
    """A tree of tokens in a cache of one row; the tokens that the cache holds at first are the root.

    Nodes are numbered in the order in which they were appended. A node is dead if it is on no branch any more.

    Args:
        model: the model, which reads the tokens.
        cache: cache of one row, which has read the root.
        room: most nodes at a time; by default as many as the cache has room for.
    """

    def __init__(self, model: TreeDecoder[TreeCacheT], cache: TreeCacheT, room: int | None = None) -> None:
        self._model = model
        self._cache = cache
        self._root_length = int(cache.lengths[0])
        self._count = 0
        room = cache.capacity - self._root_length if room is None else room
        # The kernel provides zeros as they are first touched, so that rows of unused nodes take no memory.
        self._visible = np.zeros((room, room), dtype=np.bool_)  # [node, itself and its ancestors]

    @property
    def num_nodes(self) -> int:
        """Number of nodes that take room in the cache, living or dead."""
        return self._count

    def append(
        self, token_ids: Sequence[int], parents: Sequence[int], requested: Sequence[int] | None = None
    ) -> npt.NDArray[np.float32]:
        """Adds nodes in one pass of the model.

        Args:
            token_ids: token of each new node.
            parents: parent of each new node: `ROOT`, an older node, or a new one before it.
            requested: numbers of the new nodes whose logits are requested, counted from 0; by default all.

        Returns:
            Logits after each requested node, [requested, vocab].
        """
        positions, bias = self.place(parents)
        return self._model.forward(
            np.array([token_ids], dtype=np.int64),
            self._cache,
            position_ids=positions[None],
            attention_bias=bias[None, None],
            logits_indices=np.array(range(len(token_ids)) if requested is None else requested, dtype=np.int64),
        )

    def place(self, parents: Sequence[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Adds nodes whose tokens the caller must append to the cache in the next pass.

        Args:
            parents: parent of each new node: `ROOT`, an older node, or a new one before it.

        Returns:
            The position of each new node, [nodes], and its attention bias, [nodes, total].
        """
        first, count = self._count, self._count + len(parents)
        for node, parent in enumerate(parents, start=first):
            self._visible[node, :count] = self._visible[parent, :count] if parent != ROOT else False
            self._visible[node, node] = True
        visible = self._visible[first:count, :count]
        bias = np.zeros((len(parents), self._root_length + count), dtype=np.float32)
        bias[:, self._root_length :] = np.where(visible, np.float32(0), np.float32(-np.inf))
        self._count = count
        return self._root_length + visible.sum(axis=1, dtype=np.int64) - 1, bias

    def move_to(self, cache: TreeCacheT) -> None:
        """Goes on in another cache of one row, which holds the same tokens."""
        self._cache = cache

    def keep(self, leaves: Sequence[int]) -> list[int]:
        """Keeps these nodes and their ancestors; all other nodes are dead from now on.

        Living nodes are moved together only when there are so many dead ones that no more than two are moved for each.
        So over a whole search at most twice as many nodes are moved as were appended, and the dead ones take at most
        half the room of the living ones, or that of `_LEAST_DEAD` nodes.

        Returns:
            The new numbers of these nodes.
        """
        nodes = [leaf for leaf in leaves if leaf != ROOT]
        living = np.flatnonzero(self._visible[nodes, : self._count].any(axis=0))
        dead = self._count - len(living)
        moved = int(np.count_nonzero(living != np.arange(len(living))))
        return self._compact(living, leaves) if dead > max(_LEAST_DEAD, moved // 2) else list(leaves)

    def _compact(self, living: npt.NDArray[np.int64], leaves: Sequence[int]) -> list[int]:
        self._cache.keep_tokens(np.concatenate([np.arange(self._root_length), self._root_length + living]))
        visible = self._visible[np.ix_(living, living)]
        # New nodes copy their parents' rows whole, so that no old value may be left beyond the living nodes.
        self._visible[: self._count, : self._count] = False
        self._count = len(living)
        self._visible[: self._count, : self._count] = visible
        return [leaf if leaf == ROOT else int(np.searchsorted(living, leaf)) for leaf in leaves]


def append_to_trees(  # noqa: PLR0913, PLR0917 -- the inputs of a pass
    model: TreeDecoder[TreeCacheT],
    cache: TreeCacheT,
    trees: Sequence[TokenTree[TreeCacheT]],
    token_ids: Sequence[Sequence[int]],
    parents: Sequence[Sequence[int]],
    requested: Sequence[Sequence[int]],
) -> npt.NDArray[np.float32]:
    """Adds nodes to each of several trees in one pass of the model.

    A tree's logits are to the last bit those of a pass of its own, if it gets two tokens or more.

    Args:
        model: the model; with several trees, it must be ragged.
        cache: cache whose rows hold the trees.
        trees: the tree of each row.
        token_ids: tokens of each tree's new nodes, at least one.
        parents: parents of each tree's new nodes; see `TokenTree.append`.
        requested: of each tree, the numbers of the new nodes whose logits are requested, counted from 0.

    Returns:
        Logits after each requested node of the first tree, then of the second and so on, [requested, vocab].
    """
    if len(trees) == 1:
        return trees[0].append(token_ids[0], parents[0], requested[0])
    num_tokens = np.array(list(map(len, token_ids)))
    placed = [tree.place(nodes) for tree, nodes in zip(trees, parents, strict=True)]
    rows, sequence, total = len(trees), int(num_tokens.max()), max(bias.shape[1] for _, bias in placed)
    input_ids, position_ids = np.zeros((2, rows, sequence), dtype=np.int64)
    attention_bias = np.zeros((rows, 1, sequence, total), dtype=np.float32)
    for row, (tokens, (positions, bias)) in enumerate(zip(token_ids, placed, strict=True)):
        input_ids[row, : len(tokens)] = tokens
        position_ids[row, : len(tokens)] = positions
        attention_bias[row, 0, : bias.shape[0], : bias.shape[1]] = bias
    return model.forward(
        input_ids,
        cache,
        position_ids=position_ids,
        attention_bias=attention_bias,
        logits_indices=np.array([row * sequence + node for row, nodes in enumerate(requested) for node in nodes]),
        num_tokens=num_tokens,
    )
