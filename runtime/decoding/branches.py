"""The log-probabilities of several continuations of one prompt, which share what they have in common."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.model import Cache, DecoderModel
from biogpt_onnx.runtime.decoding.sampler import log_sum_exp
from biogpt_onnx.runtime.decoding.tree import TRUNK, TokenTree

_NODES_PER_PASS = 128
"""Bounds the logits that are in memory at once."""

CacheT = TypeVar("CacheT", bound=Cache)


def branch_log_probabilities(
    model: DecoderModel[CacheT],
    cache: CacheT,
    logits: npt.NDArray[np.float32],
    sequences: Sequence[Sequence[int]],
) -> list[list[float]]:
    """The log-probability of each token of each sequence, given the prompt and the sequence's tokens before, in nats.

    Args:
        model: the model.
        cache: of one row, which has read the prompt; room for the tokens of all sequences.
        logits: after the prompt, [1, vocab].
        sequences: continuations of at least one token each.
    """
    nodes = _Nodes(sequences)
    scores = {TRUNK: nodes.score(TRUNK, logits[0])}
    tree = TokenTree(model, cache, len(nodes.tokens))
    for start in range(0, len(nodes.tokens), _NODES_PER_PASS):
        part = range(start, min(start + _NODES_PER_PASS, len(nodes.tokens)))
        rows = tree.append([nodes.tokens[node] for node in part], [nodes.parents[node] for node in part])
        scores |= {node: nodes.score(node, row) for node, row in zip(part, rows, strict=True)}
    return [
        [scores[parent][token] for parent, token in zip(path, sequence, strict=True)]
        for path, sequence in zip(nodes.paths, sequences, strict=True)
    ]


class _Nodes:
    """The tokens after which something is asked, each once, as a tree.

    Attributes:
        tokens: of each node.
        parents: of each node.
        paths: for each sequence, the node after which each of its tokens stands.
    """

    def __init__(self, sequences: Sequence[Sequence[int]]) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self._numbers: dict[tuple[int, int], int] = {}
        self._asked: dict[int, set[int]] = {}
        self.paths = [self._path(sequence) for sequence in sequences]

    def score(self, node: int, logits: npt.NDArray[np.float32]) -> dict[int, float]:
        """The log-probabilities of the tokens that are asked for after a node, from the logits there, [vocab]."""
        asked = sorted(self._asked[node])
        scores = logits[asked] - log_sum_exp(logits[None])
        return dict(zip(asked, scores.tolist(), strict=True))

    def _path(self, sequence: Sequence[int]) -> list[int]:
        # A sequence's last token is looked up, not read: nothing is asked after it.
        path = [TRUNK]
        for token in sequence[:-1]:
            path.append(self._node(path[-1], token))
        for node, token in zip(path, sequence, strict=True):
            self._asked.setdefault(node, set()).add(token)
        return path

    def _node(self, parent: int, token: int) -> int:
        if (parent, token) not in self._numbers:
            self._numbers[parent, token] = len(self.tokens)
            self.tokens.append(token)
            self.parents.append(parent)
        return self._numbers[parent, token]
