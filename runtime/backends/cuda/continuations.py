"""The log-probabilities of several continuations of each of several prompts, read in rows of their own."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from biogpt_onnx.runtime.backends.protocol import Cache, DeviceModel
from biogpt_onnx.runtime.decoding.strategies.continuation_tree import ROOT, ContinuationTree

CacheT = TypeVar("CacheT", bound=Cache)


def continuation_log_probabilities_in_rows(
    model: DeviceModel[CacheT], prompts: Sequence[Sequence[int]], sequences: Sequence[Sequence[int]]
) -> list[list[list[float]]]:
    """What `continuation_log_probabilities` says, for all prompts together.

    A device reads a prompt once more for each continuation in less time than it would take to read them in turns.

    Args:
        model: the model.
        prompts: token ids, at least one each.
        sequences: continuations of at least one token each, the same for all prompts.

    Returns:
        For each prompt and sequence the log-probability of each token, in nats.
    """
    nodes = ContinuationTree(sequences)
    chains = nodes.chains()
    places = _first_places(chains)
    asked = [(node, token) for node in places for token in nodes.asked_after(node)]
    rows = [[*prompt, *(nodes.tokens[node] for node in chain)] for prompt in prompts for chain in chains]
    wanted = [
        (number * len(chains) + places[node][0], len(prompt) + places[node][1], token)
        for number, prompt in enumerate(prompts)
        for node, token in asked
    ]
    scores = model.log_probabilities(rows, np.array(wanted, dtype=np.int64)).reshape(len(prompts), len(asked))
    return [nodes.along_paths(dict(zip(asked, row, strict=True))) for row in scores.tolist()]


def _first_places(chains: Sequence[Sequence[int]]) -> dict[int, tuple[int, int]]:
    """For the trunk and each node, the first chain that leads through it, and how far behind the prompt it is there."""
    places = {ROOT: (0, -1)}
    for number, chain in enumerate(chains):
        for depth, node in enumerate(chain):
            places.setdefault(node, (number, depth))
    return places
