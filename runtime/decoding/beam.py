"""Beam search over a tree: all beams of a prompt are branches in one row of a cache.

The prompt is read and stored once, and no cache is ever reordered. Which sequences are found, and in which order, is
what transformers' beam search finds.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.choosing import refuse_excluded
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.constraints import only_allowed
from biogpt_onnx.runtime.decoding.hypotheses import Hypotheses
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits, Reason
from biogpt_onnx.runtime.decoding.model import Cache, DecoderModel
from biogpt_onnx.runtime.decoding.processors import processors_for
from biogpt_onnx.runtime.decoding.reading import one_prompt_read
from biogpt_onnx.runtime.decoding.sampler import log_sum_exp
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.tree import TRUNK, TokenTree

_BLOCK = 64

CacheT = TypeVar("CacheT", bound=Cache)


def beam_search(
    model: DecoderModel[CacheT], prompt: SequenceState, config: GenerationConfig, limits: Limits
) -> Iterator[Sequence[SequenceState]]:
    """Finds the likeliest continuations of one prompt; yields after each step the finished ones, best first.

    What was yielded last is the answer: at least one sequence, and `config.num_beams` of them unless the rules allow
    fewer. Their scores are log-probabilities divided by length ** `config.length_penalty`.

    Args:
        model: the model.
        prompt: the sequence to continue; it stays as it is.
        config: how many beams, which rules, when to stop.
        limits: when reached, the running beams end as they are.

    Raises:
        ConfigError: the rules exclude every token.
    """
    beams = _Beams(prompt, config)
    try:
        with one_prompt_read(model, prompt.prompt_ids, prompt.prefix, beams.room, limits) as (cache, logits):
            tree = TokenTree(model, cache)
            beams.advance(logits)
            yield beams.finished.best_first
            while beams.go_on():
                limits.check()
                beams.advance(beams.read(tree))
                yield beams.finished.best_first
    except Interrupted as interruption:
        beams.end(interruption.reason)
        yield beams.finished.best_first


class _Beams:
    """The sequences that go on, the likeliest first, and those that have ended.

    Attributes:
        room: tokens that they may need in the cache.
        finished: the sequences that have ended.
    """

    def __init__(self, prompt: SequenceState, config: GenerationConfig) -> None:
        self.room = config.num_beams * (prompt.max_new_tokens - 1)
        self.finished = Hypotheses(config, prompt.max_new_tokens)
        self._num_beams = config.num_beams
        self._rules = processors_for(config, None if prompt.next_allowed is None else only_allowed)
        self._states = [prompt.branch()]
        self._nodes = [TRUNK]  # where in the tree each one's last token stands
        self._parents = [0]  # the place that each one's past had before the last step

    def go_on(self) -> bool:
        """Whether a better sequence may still come."""
        best = self._states[0] if self._states else None
        return best is not None and self.finished.may_improve(best.score, best.num_new_tokens)

    def advance(self, logits: npt.NDArray[np.float32]) -> None:
        """Replaces the sequences by their best continuations, given the logits after each, [beams, vocab].

        Of twice as many candidates as beams at least one a beam goes on, as only one of them can end. One that ends
        counts only among the first `num_beams`.
        """
        # What is added to a row's numbers to make them totals. Rules, as in transformers, see log-probabilities.
        offsets = -log_sum_exp(logits)
        if self._rules:
            logits = logits + offsets[:, None].astype(np.float32)
            offsets[:] = 0
            for process in self._rules:
                process(self._states, logits)
        scores = np.array([state.score for state in self._states])
        rows, tokens = _best_candidates(logits, scores + offsets, 2 * self._num_beams)
        going_on: list[tuple[SequenceState, int]] = []
        for rank, (row, token) in enumerate(zip(rows.tolist(), tokens.tolist(), strict=True)):
            if len(going_on) == self._num_beams:
                break
            state = self._states[row].branch()
            state.append(token, float(logits[row, token] + offsets[row]))
            if state.finish_reason is None:
                going_on.append((state, row))
            elif rank < self._num_beams:
                self.finished.add(state)
        self._states = [state for state, _ in going_on]
        self._parents = [row for _, row in going_on]

    def read(self, tree: TokenTree[CacheT]) -> npt.NDArray[np.float32]:
        """Has the last token of each read; returns the logits after it, [beams, vocab]."""
        parents = tree.keep([self._nodes[parent] for parent in self._parents])
        logits = tree.append([int(state.ids[-1]) for state in self._states], parents)
        self._nodes = list(range(tree.num_nodes - len(parents), tree.num_nodes))
        return logits

    def end(self, reason: Reason) -> None:
        """Ends the sequences as they are."""
        for state in self._states:
            state.finish_reason = reason
            self.finished.add(state)


def _best_candidates(
    values: npt.NDArray[np.float32], offsets: npt.NDArray[np.float64], count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The largest of all rows' values [rows, vocab] + offsets [rows], the largest first and of equal ones the first.

    Only the blocks with the largest maxima can hold them; to look at those alone takes a tenth of the time.

    Returns:
        Their rows and columns, [count] each, or fewer where fewer are finite.

    Raises:
        ConfigError: none is.
    """
    starts = np.arange(0, values.shape[1], _BLOCK)
    maxima = np.maximum.reduceat(values, starts, axis=1) + offsets[:, None]
    refuse_excluded(maxima.max(keepdims=True))
    blocks = np.sort(_largest(maxima.reshape(-1), count))
    block_rows, block_numbers = np.divmod(blocks, len(starts))
    columns = starts[block_numbers, None] + np.arange(_BLOCK)
    inside = columns < values.shape[1]
    rows, columns = np.broadcast_to(block_rows[:, None], columns.shape)[inside], columns[inside]
    totals = values[rows, columns] + offsets[rows]
    best = _largest(totals, count)
    best = best[np.isfinite(totals[best])]
    return rows[best], columns[best]


def _largest(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
    """Indices of the largest values, the largest first and of equal ones the first."""
    if len(values) > count:
        least = np.partition(values, -count)[-count]
        at_least = np.flatnonzero(values >= least)
    else:
        at_least = np.arange(len(values))
    return at_least[np.argsort(-values[at_least], kind="stable")[:count]]
