"""Log-probabilities of continuations of a prompt, read as branches of one tree."""

from collections.abc import Sequence
from typing import Generic, NamedTuple

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.chunks import chunks, ends_in_a_single_token, requested_in
from biogpt_onnx.runtime.backends.continuation_tree import ROOT, ContinuationTree
from biogpt_onnx.runtime.backends.cpu.decoder import TreeCacheT, TreeDecoder
from biogpt_onnx.runtime.backends.cpu.prompts import read_all_but_the_last_chunk
from biogpt_onnx.runtime.backends.cpu.prompts_together import next_pass, read_pieces
from biogpt_onnx.runtime.backends.cpu.trees.token_tree import TokenTree, append_to_trees
from biogpt_onnx.runtime.backends.finite_scores import refuse_not_finite
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.selection.sampler import log_sum_exp


def score_single_tokens(logits: npt.NDArray[np.float32], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
    """Returns the log-probability of each continuation, all of which are single tokens, in nats.

    Args:
        logits: logits after the prompt, [1, vocab].
        continuations: token id of each continuation, at least one.
    """
    tree = ContinuationTree(continuations)
    return tree.by_continuation(_scored(tree, ROOT, logits[0]))


def score_with_prompt(
    decoder: TreeDecoder[TreeCacheT],
    cache: TreeCacheT,
    prompt_ids: Sequence[int],
    continuations: Sequence[Sequence[int]],
    limits: Limits,
) -> list[list[float]]:
    """Returns the log-probability of each token of each continuation of a prompt, in nats.

    The prompt's end and the continuations are read in one pass.

    Args:
        decoder: the model, which computes the passes.
        cache: cache of one row, which holds the prompt's beginning or nothing, and has room for the tokens of all
            continuations.
        prompt_ids: token ids of the prompt, of which the cache does not hold the last.
        continuations: token ids of each continuation, at least one.
        limits: limits that are checked before each pass.

    Raises:
        Interrupted: a limit was reached.
    """
    unread = read_all_but_the_last_chunk(decoder, prompt_ids, cache, limits)
    tree = ContinuationTree(continuations)
    reading = _TreeReading(decoder, cache, unread, tree)
    for chunk in chunks(0, len(reading.tokens)):
        reading.note(chunk, reading.nodes.append(*reading.inputs_of(chunk)))
    return tree.by_continuation(reading.scores)


def score_with_prompts(
    decoder: TreeDecoder[TreeCacheT],
    cache: TreeCacheT,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[int]],
) -> list[list[list[float]]]:
    """Returns the log-probabilities that `score_with_prompt` gives for each of several prompts, to the last bit.

    A pass takes chunks of like length of all prompts.

    Args:
        decoder: the model, which must be ragged.
        cache: empty cache with a row for each prompt, with room for the tokens of all continuations and, to read
            several prompts in a pass, for padding.
        prompts: token ids of each prompt, at least one.
        continuations: token ids of each continuation, at least one.
    """
    tree = ContinuationTree(continuations)
    first_unread = [list(chunks(0, len(ids)))[-1].start for ids in prompts]
    while plan := next_pass(cache.lengths.tolist(), first_unread, cache):
        first, pieces = plan
        read_pieces(decoder, cache, prompts, first, pieces)
    readings = [
        _TreeReading(decoder, cache.row(row), ids[start:], tree)
        for row, (ids, start) in enumerate(zip(prompts, first_unread, strict=True))
    ]
    num_read = [0] * len(readings)
    while plan := next_pass(num_read, [len(reading.tokens) for reading in readings], cache):
        first, pieces = plan
        rows = readings[first : first + len(pieces)]
        inputs = [reading.inputs_of(piece) for reading, piece in zip(rows, pieces, strict=True)]
        logits = append_to_trees(
            decoder,
            cache.some_rows(first, len(pieces)),
            [reading.nodes for reading in rows],
            *zip(*inputs, strict=True),
        )
        for row, (reading, piece) in enumerate(zip(rows, pieces, strict=True), start=first):
            count = len(inputs[row - first].requested)
            reading.note(piece, logits[:count])
            logits, num_read[row] = logits[count:], piece.stop
    return [tree.by_continuation(reading.scores) for reading in readings]


class _Inputs(NamedTuple):
    """The nodes of a pass: their tokens and parents, and the numbers of those whose logits are requested."""

    token_ids: Sequence[int]
    parents: Sequence[int]
    requested: Sequence[int]


class _TreeReading(Generic[TreeCacheT]):
    """The reading of continuations behind a prompt, whose end may be unread; its tokens then become nodes, too.

    Attributes:
        tokens: tokens to be read: the prompt's unread ones and the continuations'.
        nodes: nodes that have been read.
        scores: log-probability of each pair of a node, or the root, and a token that is scored after it, so far.

    Args:
        decoder: the model, which computes the passes.
        cache: cache of one row, which has read the prompt but for its end.
        unread: the prompt's end.
        tree: continuations of the prompt.
    """

    def __init__(
        self, decoder: TreeDecoder[TreeCacheT], cache: TreeCacheT, unread: Sequence[int], tree: ContinuationTree
    ) -> None:
        self._before, self._tree = len(unread), tree
        self.tokens = [*unread, *tree.tokens]
        # A node that follows the root has -1 for its parent, which here becomes the last unread token.
        self._parents = [*range(ROOT, self._before - 1), *(self._before + parent for parent in tree.parents)]
        self.nodes = TokenTree(decoder, cache, len(self.tokens) + 1)
        self.scores: dict[tuple[int, int], float] = {}

    def inputs_of(self, chunk: slice) -> _Inputs:
        """Returns the nodes that are read for a chunk of the tokens."""
        # A token that is all there is to read is read twice, so that its scores are those of any other division into
        # passes; see `next_chunk`.
        again = slice(chunk.stop - ends_in_a_single_token(chunk.stop - chunk.start), chunk.stop)
        return _Inputs(
            [*self.tokens[chunk], *self.tokens[again]],
            [*self._parents[chunk], *self._parents[again]],
            self._requested(chunk),
        )

    def note(self, chunk: slice, logits: npt.NDArray[np.float32]) -> None:
        """Notes the log-probabilities that follow from the requested logits of a chunk, [requested, vocab]."""
        for place, row in zip(self._requested(chunk), logits, strict=True):
            self.scores |= _scored(self._tree, chunk.start + place - self._before, row)

    def _requested(self, chunk: slice) -> list[int]:
        places: list[int] = requested_in(chunk, self._before - 1).tolist()
        return places


def _scored(tree: ContinuationTree, node: int, logits: npt.NDArray[np.float32]) -> dict[tuple[int, int], float]:
    """Returns the log-probabilities of the tokens that are scored after a node, from the logits there, [vocab]."""
    refuse_not_finite(logits)
    tokens = tree.scored_after(node)
    scores = (logits[tokens] - log_sum_exp(logits[None])).tolist()
    return {(node, token): score for token, score in zip(tokens, scores, strict=True)}
