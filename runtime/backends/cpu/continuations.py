"""Log-probabilities of continuations of a prompt, read as branches of one tree."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.chunks import chunks, requested_in
from biogpt_onnx.runtime.backends.continuation_tree import ROOT, ContinuationTree
from biogpt_onnx.runtime.backends.cpu.decoder import TreeCacheT, TreeDecoder
from biogpt_onnx.runtime.backends.cpu.prompts import read_all_but_the_last_chunk
from biogpt_onnx.runtime.backends.cpu.token_tree import TokenTree
from biogpt_onnx.runtime.backends.finite_scores import refuse_not_finite
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.selection.sampler import log_sum_exp


def score_in_tree(
    decoder: TreeDecoder[TreeCacheT],
    cache: TreeCacheT,
    logits: npt.NDArray[np.float32],
    continuations: Sequence[Sequence[int]],
) -> list[list[float]]:
    """Returns the log-probability of each token of each continuation of a prompt that has been read, in nats.

    Args:
        decoder: the model, which computes the passes.
        cache: cache of one row, which has read the prompt and has room for the tokens of all continuations.
        logits: logits after the prompt, [1, vocab].
        continuations: token ids of each continuation, at least one.
    """
    tree = ContinuationTree(continuations)
    return tree.by_continuation(_scored(tree, ROOT, logits[0]) | _scores(decoder, cache, (), tree))


def score_with_prompt(
    decoder: TreeDecoder[TreeCacheT],
    cache: TreeCacheT,
    prompt_ids: Sequence[int],
    continuations: Sequence[Sequence[int]],
    limits: Limits,
) -> list[list[float]]:
    """Returns the log-probabilities that `score_in_tree` gives, for a prompt that the cache has not read.

    The prompt's end and the continuations are read in one pass.

    Raises:
        Interrupted: a limit was reached.
    """
    unread = read_all_but_the_last_chunk(decoder, prompt_ids, cache, limits)
    tree = ContinuationTree(continuations)
    return tree.by_continuation(_scores(decoder, cache, unread, tree))


def _scores(
    decoder: TreeDecoder[TreeCacheT], cache: TreeCacheT, unread: Sequence[int], tree: ContinuationTree
) -> dict[tuple[int, int], float]:
    """Returns the log-probability of each pair of a node and a token that is scored after it.

    The root is among the nodes if the prompt's end is unread, whose tokens then become nodes, too.
    """
    before = len(unread)
    tokens = [*unread, *tree.tokens]
    # A node that follows the root has -1 for its parent, which here becomes the last unread token.
    parents = [*range(ROOT, before - 1), *(before + parent for parent in tree.parents)]
    nodes = TokenTree(decoder, cache, len(tokens))
    scores: dict[tuple[int, int], float] = {}
    for chunk in chunks(0, len(tokens)):
        requested = requested_in(chunk, before - 1).tolist()
        rows = nodes.append(tokens[chunk], parents[chunk], requested)
        for place, row in zip(requested, rows, strict=True):
            scores |= _scored(tree, chunk.start + place - before, row)
    return scores


def _scored(tree: ContinuationTree, node: int, logits: npt.NDArray[np.float32]) -> dict[tuple[int, int], float]:
    """Returns the log-probabilities of the tokens that are scored after a node, from the logits there, [vocab]."""
    refuse_not_finite(logits)
    tokens = tree.scored_after(node)
    scores = (logits[tokens] - log_sum_exp(logits[None])).tolist()
    return {(node, token): score for token, score in zip(tokens, scores, strict=True)}
