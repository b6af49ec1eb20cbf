"""Sequences that share a past, as branches of one tree in one row of a cache.

Every new token goes behind the last one in the cache, whatever its branch, and a mask lets it see its own ancestors
alone. So nothing is copied where branches part, and nothing moved where one ends. The mask is that of SpecInfer (Miao
et al. 2023, https://arxiv.org/abs/2305.09781), here for beams, drafts and choices alike.
"""

from collections.abc import Sequence
from typing import Generic

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.continuation_tree import ROOT
from biogpt_onnx.runtime.backends.cpu.decoder import TreeCacheT, TreeDecoder

_LEAST_DEAD = 64
"""Dead nodes that are left where they are: to mask them costs less than to move the living."""


class TokenTree(Generic[TreeCacheT]):
    """Branches that grow from what a cache of one row holds.

    Nodes are numbered in the order in which they were appended.

    Args:
        model: reads the tokens.
        cache: of one row; what it holds now is the trunk.
        room: most nodes at a time; by default what the cache has room for.
    """

    def __init__(self, model: TreeDecoder[TreeCacheT], cache: TreeCacheT, room: int | None = None) -> None:
        self._model = model
        self._cache = cache
        self._trunk = int(cache.lengths[0])
        self._count = 0
        room = cache.capacity - self._trunk if room is None else room
        # Zeros come from the kernel as they are first touched: rows for nodes that never come take no memory.
        self._visible = np.zeros((room, room), dtype=np.bool_)  # [node, itself and its ancestors]

    @property
    def num_nodes(self) -> int:
        """Nodes that take room in the cache, living or dead."""
        return self._count

    def append(
        self, token_ids: Sequence[int], parents: Sequence[int], wanted: Sequence[int] | None = None
    ) -> npt.NDArray[np.float32]:
        """Adds nodes in one pass of the model.

        Args:
            token_ids: a token for each new node.
            parents: each one's parent: `ROOT`, an older node, or one that stands before it among the new.
            wanted: which of the new nodes' logits are wanted, counted from 0; all by default.

        Returns:
            Logits after each wanted node, [wanted, vocab].
        """
        first, count = self._count, self._count + len(token_ids)
        for node, parent in enumerate(parents, start=first):
            self._visible[node, :count] = self._visible[parent, :count] if parent != ROOT else False
            self._visible[node, node] = True
        visible = self._visible[first:count, :count]
        bias = np.zeros((1, 1, len(token_ids), self._trunk + count), dtype=np.float32)
        bias[0, 0, :, self._trunk :] = np.where(visible, np.float32(0), np.float32(-np.inf))
        logits = self._model.forward(
            np.array([token_ids], dtype=np.int64),
            self._cache,
            position_ids=self._trunk + visible.sum(axis=1, dtype=np.int64)[None] - 1,
            attention_bias=bias,
            logits_indices=np.array(range(len(token_ids)) if wanted is None else wanted, dtype=np.int64),
        )
        self._count = count
        return logits

    def keep(self, leaves: Sequence[int]) -> list[int]:
        """Lets everything die that is neither one of these nodes nor an ancestor of one.

        The living are moved together only when so many have died that for each no more than two are moved. So over a
        whole search at most twice as much is moved as was appended, and the dead take at most half the room of the
        living, or that of a few.

        Returns:
            The same nodes' numbers from now on.
        """
        nodes = [leaf for leaf in leaves if leaf != ROOT]
        living = np.flatnonzero(self._visible[nodes, : self._count].any(axis=0))
        dead = self._count - len(living)
        moved = int(np.count_nonzero(living != np.arange(len(living))))
        return self._compact(living, leaves) if dead > max(_LEAST_DEAD, moved // 2) else list(leaves)

    def _compact(self, living: npt.NDArray[np.int64], leaves: Sequence[int]) -> list[int]:
        self._cache.keep_tokens(np.concatenate([np.arange(self._trunk), self._trunk + living]))
        visible = self._visible[np.ix_(living, living)]
        # New nodes take over their parents' rows whole, so nothing old may be left beyond the living.
        self._visible[: self._count, : self._count] = False
        self._count = len(living)
        self._visible[: self._count, : self._count] = visible
        return [leaf if leaf == ROOT else int(np.searchsorted(living, leaf)) for leaf in leaves]
