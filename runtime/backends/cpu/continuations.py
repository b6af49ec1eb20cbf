"""The log-probabilities of several continuations of a prompt, read as branches of one tree."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cpu.token_tree import TokenTree
from biogpt_onnx.runtime.backends.protocol import TreeCache, TreeModel
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefill import read_all_but_the_last_chunk
from biogpt_onnx.runtime.decoding.selection.sampler import log_sum_exp
from biogpt_onnx.runtime.decoding.strategies.continuation_tree import ROOT, ContinuationTree

_NODES_PER_PASS = 128
"""Bounds the logits that are in memory at once."""

CacheT = TypeVar("CacheT", bound=TreeCache)


def continuation_log_probabilities(
    model: TreeModel[CacheT],
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
    nodes = ContinuationTree(sequences)
    return nodes.along_paths(_scored(nodes, ROOT, logits[0]) | _scores(model, cache, (), nodes))


def prompt_and_continuation_log_probabilities(
    model: TreeModel[CacheT],
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
    nodes = ContinuationTree(sequences)
    return nodes.along_paths(_scores(model, cache, unread, nodes))


def _scores(
    model: TreeModel[CacheT], cache: CacheT, unread: Sequence[int], nodes: ContinuationTree
) -> dict[tuple[int, int], float]:
    """The log-probability of each node and token that is asked for after it.

    The trunk is among the nodes if its end is unread, which then becomes nodes.
    """
    before = len(unread)
    tokens = [*unread, *nodes.tokens]
    # A node that follows the trunk has -1 for its parent, which here becomes the last unread token.
    parents = [*range(ROOT, before - 1), *(before + parent for parent in nodes.parents)]
    tree = TokenTree(model, cache, len(tokens))
    scores: dict[tuple[int, int], float] = {}
    passes = range(before + _NODES_PER_PASS, len(tokens), _NODES_PER_PASS)
    for start, end in pairwise([0, *passes, len(tokens)] if tokens else []):
        first = max(start, before - 1)
        rows = tree.append(tokens[start:end], parents[start:end], range(first - start, end - start))
        for at, row in zip(range(first, end), rows, strict=True):
            scores |= _scored(nodes, at - before, row)
    return scores


def _scored(nodes: ContinuationTree, node: int, logits: npt.NDArray[np.float32]) -> dict[tuple[int, int], float]:
    """The log-probabilities of the tokens that are asked for after a node, from the logits there, [vocab]."""
    asked = nodes.asked_after(node)
    scores = (logits[asked] - log_sum_exp(logits[None])).tolist()
    return {(node, token): score for token, score in zip(asked, scores, strict=True)}
