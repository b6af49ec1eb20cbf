"""The log-probabilities of several continuations of one prompt, which share what they have in common."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.model import Cache, DecoderModel
from biogpt_onnx.runtime.decoding.prefill import read_all_but_the_last_chunk
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
    return nodes.along_paths({TRUNK: nodes.score(TRUNK, logits[0])} | _scores(model, cache, (), nodes))


def prompt_and_branch_log_probabilities(
    model: DecoderModel[CacheT],
    cache: CacheT,
    prompt_ids: Sequence[int],
    sequences: Sequence[Sequence[int]],
    limits: Limits,
) -> list[list[float]]:
    """The same of a prompt that the cache has not read: its end and the sequences are read in one pass.

    Raises:
        Interrupted: a limit was reached.
    """
    unread = read_all_but_the_last_chunk(model, prompt_ids, cache, limits)
    nodes = _Nodes(sequences)
    return nodes.along_paths(_scores(model, cache, unread, nodes))


def _scores(
    model: DecoderModel[CacheT], cache: CacheT, unread: Sequence[int], nodes: "_Nodes"
) -> dict[int, dict[int, float]]:
    """The log-probabilities asked for after each node, and after the trunk if its end is unread and becomes nodes."""
    before = len(unread)
    tokens = [*unread, *nodes.tokens]
    # A node that follows the trunk has -1 for its parent, which here becomes the last unread token.
    parents = [*range(TRUNK, before - 1), *(before + parent for parent in nodes.parents)]
    tree = TokenTree(model, cache, len(tokens))
    scores: dict[int, dict[int, float]] = {}
    passes = range(before + _NODES_PER_PASS, len(tokens), _NODES_PER_PASS)
    for start, end in pairwise([0, *passes, len(tokens)] if tokens else []):
        first = max(start, before - 1)
        rows = tree.append(tokens[start:end], parents[start:end], range(first - start, end - start))
        scores |= {at - before: nodes.score(at - before, row) for at, row in zip(range(first, end), rows, strict=True)}
    return scores


class _Nodes:
    """The tokens after which something is asked, each once, as a tree.

    Attributes:
        tokens: of each node.
        parents: of each node.
        paths: for each sequence, the node after which each of its tokens stands.
    """

    def __init__(self, sequences: Sequence[Sequence[int]]) -> None:
        self._sequences = sequences
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

    def along_paths(self, scores: Mapping[int, Mapping[int, float]]) -> list[list[float]]:
        """The log-probability of each token of each sequence, from those asked for after each node."""
        return [
            [scores[parent][token] for parent, token in zip(path, sequence, strict=True)]
            for path, sequence in zip(self.paths, self._sequences, strict=True)
        ]

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
