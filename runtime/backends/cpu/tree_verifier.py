"""Drafts that are trees, read in one row of a cache with a mask."""

from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cpu.token_tree import TokenTree
from biogpt_onnx.runtime.backends.protocol import TreeCache, TreeModel
from biogpt_onnx.runtime.decoding.drafting.lookup import Draft
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.strategies.continuation_tree import ROOT

_NEAR_TIE = 1e-3
"""Logits that differ by less may change places when several tokens are computed in one pass, which rounds otherwise.

Float32 logits of BioGPT's size were seen to differ by 3e-6 at most. Where activations are quantized, a last digit that
falls on the other side moves logits by up to 0.06, seldom: to be certain there too, nearly every draft would have to be
computed again.
"""

CacheT = TypeVar("CacheT", bound=TreeCache)


class TreeVerifier(Generic[CacheT]):
    """Takes the tokens of greedy search, whatever is drafted and however the kernels round.

    Where the two likeliest tokens are so close that rounding could decide, everything since the first draft is computed
    again token by token.

    Attributes:
        branches: that a draft may be a tree.

    Args:
        model: the model.
        cache: of one row, which has read the prompt.
        state: the sequence, with its first token.
        chooser: says which token comes next.
    """

    branches = True

    def __init__(
        self, model: TreeModel[CacheT], cache: CacheT, state: SequenceState, chooser: NextTokenSelector
    ) -> None:
        self._model = model
        self._cache = cache
        self._state = state
        self._chooser = chooser
        # Up to here the cache holds exactly what greedy search would hold.
        self._exact = int(cache.lengths[0])

    def step(self) -> None:
        """Reads the last token and takes the next one."""
        is_exact = self._exact == self._cache.lengths[0]
        logits = self._model.forward(self._state.ids[None, -1:], self._cache)
        if is_exact:
            self._exact += 1
        self._choose(logits)

    def read(self, draft: Draft) -> int:
        """Reads the last token and a draft, and takes what follows; returns how many drafted tokens were right."""
        start = int(self._cache.lengths[0])
        tree = TokenTree(self._model, self._cache, len(draft.token_ids) + 1)
        # The last token is node 0, so a draft's nodes and their parents count from 1.
        tokens = [int(self._state.ids[-1]), *draft.token_ids]
        logits = tree.append(tokens, [ROOT, *(parent + 1 for parent in draft.parents)])
        path = [0]
        while self._choose(logits[path[-1]][None]):
            following = _child(draft, path[-1] - 1, int(self._state.ids[-1]))
            if following is None or self._state.finish_reason is not None:
                break
            path.append(following + 1)
        else:
            return len(path) - 1
        self._cache.keep_tokens(np.concatenate([np.arange(start), start + np.array(path)]))
        return len(path) - 1

    def _choose(self, logits: npt.NDArray[np.float32]) -> bool:
        """Appends the next token; False when that took computing everything again."""
        if self._exact == self._cache.lengths[0]:
            self._chooser.append([self._state], logits)
            return True
        tokens, scores = self._chooser.choose([self._state], logits)
        is_certain = _lead(logits[0], int(tokens[0])) >= _NEAR_TIE
        if not is_certain:
            tokens, scores = self._chooser.choose([self._state], self._exact_logits())
        self._state.append(int(tokens[0]), float(scores[0]))
        return is_certain

    def _exact_logits(self) -> npt.NDArray[np.float32]:
        self._cache.truncate(self._exact)
        ids = self._state.ids[None]
        for position in range(self._exact, ids.shape[1]):
            logits = self._model.forward(ids[:, position : position + 1], self._cache)
        self._exact = ids.shape[1]
        return logits


def _child(draft: Draft, parent: int, token: int) -> int | None:
    nodes = enumerate(zip(draft.parents, draft.token_ids, strict=True))
    return next((node for node, (above, drafted) in nodes if above == parent and drafted == token), None)


def _lead(logits: npt.NDArray[np.float32], best: int) -> float:
    """How far the largest logit is above the second; the row is used up."""
    largest = logits[best]
    logits[best] = -np.inf
    return float(largest - logits.max())
