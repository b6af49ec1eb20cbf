"""The beams of one prompt as they go on: which continuations are kept, whatever computes the logits.

Which sequences are found, and in which order, is what transformers' beam search finds.
"""

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import Scores, TokenScores
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Reason
from biogpt_onnx.runtime.decoding.processors import processors_for
from biogpt_onnx.runtime.decoding.selection.constraints import allowed_log_probabilities, only_allowed
from biogpt_onnx.runtime.decoding.selection.sampler import log_sum_exp
from biogpt_onnx.runtime.decoding.selection.token_selection import refuse_excluded
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.strategies.hypotheses import Hypotheses

_BLOCK = 64

_Candidates = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.floating]]
"""A beam, a token and its log-probability, the best first, [candidates] each."""


class BeamState:
    """The sequences that go on, the likeliest first, and those that have ended.

    Args:
        prompt: the sequence to continue; it stays as it is.
        config: how many beams, which rules, when to stop.

    Attributes:
        finished: the sequences that have ended.
        parents: the place that each one's past had before the last step; 0 for the prompt.
    """

    def __init__(self, prompt: SequenceState, config: GenerationConfig) -> None:
        self.finished = Hypotheses(config, prompt.max_new_tokens)
        self.parents = [0]
        self._num_beams = config.num_beams
        self._rules = processors_for(config, None if prompt.next_allowed is None else only_allowed)
        self._states = [prompt.branch()]

    @property
    def last_tokens(self) -> list[int]:
        """The token of each that the model has not read yet."""
        return [int(state.ids[-1]) for state in self._states]

    def go_on(self) -> bool:
        """Whether a better sequence may still come."""
        best = self._states[0] if self._states else None
        return best is not None and self.finished.may_improve(best.score, best.num_new_tokens)

    def advance(self, scores: Scores) -> None:
        """Replaces the sequences by their best continuations, given what may follow each of them.

        Of twice as many candidates as beams at least one a beam goes on, as only one of them can end. One that ends
        counts only among the first `num_beams`. From a device no more is brought than is needed to find them.

        Raises:
            ConfigError: the rules exclude every token.
        """
        if isinstance(scores, np.ndarray):
            self._advance_by_logits(scores)
            return
        candidates = self._candidates_there(scores)
        if candidates is None:
            self._advance_by_logits(scores.logits())
        else:
            self._continue(*candidates)

    def end(self, reason: Reason) -> None:
        """Ends the sequences as they are."""
        for state in self._states:
            state.finish_reason = reason
            self.finished.add(state)
        self._states = []

    def _advance_by_logits(self, logits: npt.NDArray[np.float32]) -> None:
        # What is added to a row's numbers to make them totals. Rules, as in transformers, see log-probabilities.
        offsets = -log_sum_exp(logits)
        if self._rules:
            logits = logits + offsets[:, None].astype(np.float32)
            offsets[:] = 0
            for process in self._rules:
                process(self._states, logits)
        rows, tokens = _best_candidates(logits, self._scores() + offsets, 2 * self._num_beams)
        self._continue(rows, tokens, logits[rows, tokens] + offsets[rows])

    def _candidates_there(self, following: TokenScores) -> _Candidates | None:
        """The same candidates, of what is on a device, if a part of it is enough."""
        if self._rules == [only_allowed]:
            allowed = allowed_log_probabilities(self._states, following)
            return None if allowed is None else self._best(*allowed)
        # One more shows whether the last of them has equals.
        count = 2 * self._num_beams + 1
        if self._rules or count > following.max_selected:
            return None
        ids, log_probabilities = following.likeliest(count)
        rows = np.repeat(np.arange(len(ids)), ids.shape[1])
        candidates = self._best(rows, ids.ravel(), log_probabilities.ravel())
        last = self._scores()[candidates[0][-1]] + candidates[2][-1]
        # Equal ones leave open which these are.
        return None if np.any(self._scores() + log_probabilities[:, -1] >= last) else candidates

    def _best(
        self, rows: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64], log_probabilities: npt.NDArray[np.float32]
    ) -> _Candidates:
        """The best of these, [asked] each; of equal ones the first beam's first token is the first."""
        best = np.lexsort((tokens, rows, -(self._scores()[rows] + log_probabilities)))[: 2 * self._num_beams]
        return rows[best], tokens[best], log_probabilities[best]

    def _scores(self) -> npt.NDArray[np.float64]:
        return np.array([state.score for state in self._states])

    def _continue(
        self, rows: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64], log_probabilities: npt.NDArray[np.floating]
    ) -> None:
        """Goes on with candidates, the best first: a row each, what comes after it, and how likely that is there."""
        going_on: list[tuple[SequenceState, int]] = []
        candidates = zip(rows.tolist(), tokens.tolist(), log_probabilities.tolist(), strict=True)
        for rank, (row, token, log_probability) in enumerate(candidates):
            if len(going_on) == self._num_beams:
                break
            state = self._states[row].branch()
            state.append(token, log_probability)
            if state.finish_reason is None:
                going_on.append((state, row))
            elif rank < self._num_beams:
                self.finished.add(state)
        self._states = [state for state, _ in going_on]
        self.parents = [row for _, row in going_on]


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
