"""Log-probabilities of continuations of several prompts, read in rows of their own."""

from collections.abc import Sequence

import numpy as np

from biogpt_onnx.runtime.backends.continuation_tree import ROOT, ContinuationTree
from biogpt_onnx.runtime.backends.cuda.decoder import RowDecoder
from biogpt_onnx.runtime.backends.protocol import CacheT


def score_in_rows(
    decoder: RowDecoder[CacheT], prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
) -> list[list[list[float]]]:
    """Returns the log-probability of each token of each continuation after each prompt, in nats.

    A device reads a prompt once more for each continuation in less time than it would take to read them in turns.

    Args:
        decoder: the model, which computes the passes.
        prompts: token ids of each prompt, at least one.
        continuations: token ids of each continuation, at least one; all prompts have the same continuations.
    """
    tree = ContinuationTree(continuations)
    paths = tree.paths_to_leaves()
    positions = _first_positions(paths)
    scored = [(node, token) for node in positions for token in tree.scored_after(node)]
    rows = [[*prompt, *(tree.tokens[node] for node in path)] for prompt in prompts for path in paths]
    requested = [
        (number * len(paths) + positions[node][0], len(prompt) + positions[node][1], token)
        for number, prompt in enumerate(prompts)
        for node, token in scored
    ]
    scores = decoder.log_probabilities(rows, np.array(requested, dtype=np.int64)).reshape(len(prompts), len(scored))
    return [tree.by_continuation(dict(zip(scored, row, strict=True))) for row in scores.tolist()]


def _first_positions(paths: Sequence[Sequence[int]]) -> dict[int, tuple[int, int]]:
    """Returns, for the root and each node, the first path through it and its position there behind the prompt."""
    positions = {ROOT: (0, -1)}
    for number, path in enumerate(paths):
        for depth, node in enumerate(path):
            positions.setdefault(node, (number, depth))
    return positions
