"""The beam state of one prompt: its running beams, its finished sequences, and the condition for stopping.

Sequences, their order, their ranking and the condition are those of transformers' beam search.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import TokenScores
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Reason
from biogpt_onnx.runtime.decoding.processors import processors_for
from biogpt_onnx.runtime.decoding.selection.constraints import OnlyAllowed, allowed_log_probabilities
from biogpt_onnx.runtime.decoding.selection.sampler import log_sum_exp
from biogpt_onnx.runtime.decoding.selection.token_selection import refuse_excluded
from biogpt_onnx.runtime.decoding.state import SequenceState

_BLOCK = 64
"""Number of values of a row in a block, whose largest is computed first."""

_Candidates = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.floating]]
"""Numbers of beams, tokens that continue them, and the tokens' log-probabilities; best first, [candidates] each."""


class BeamState:
    """The running beams of a prompt, best first, and its finished sequences.

    Args:
        prompt: sequence to continue; it is not changed.
        config: number of beams, rules, and condition for stopping.

    Attributes:
        finished: sequences that have ended.
        parents: for each running beam, the previous number of the beam that it continues; 0 for the prompt.
    """

    def __init__(self, prompt: SequenceState, config: GenerationConfig) -> None:
        self.finished = Hypotheses(config, prompt.max_new_tokens)
        self.parents = [0]
        self._num_beams = config.num_beams
        self._num_candidates = max(2, 1 + len(prompt.end_token_ids)) * config.num_beams
        self._rules = processors_for(config, None if prompt.next_allowed is None else OnlyAllowed())
        self._needs_all_logits = any(rule.needs_all_logits for rule in self._rules)
        self._states = [prompt.branch()]

    @property
    def last_tokens(self) -> list[int]:
        """Last token of each running beam, which the model has not read yet."""
        return [int(state.ids[-1]) for state in self._states]

    def go_on(self) -> bool:
        """Returns True while a better sequence may still come."""
        best = self._states[0] if self._states else None
        return best is not None and self.finished.may_improve(best.score, best.num_new_tokens)

    def advance(self, scores: TokenScores) -> None:
        """Replaces the beams by their best continuations.

        Twice as many candidates as beams are considered: at most one for each beam ends, so that enough go on; more
        with several end tokens. One that ends is kept only if it is among the first `num_beams`. Only the scores that
        are needed to find the candidates are requested.

        Args:
            scores: next-token scores, a row for each beam.

        Raises:
            ConfigError: the rules exclude every token.
        """
        candidates = self._candidates_from_part(scores)
        if candidates is None:
            self._advance_by_logits(scores.logits())
        else:
            self._continue(*candidates)

    def end(self, reason: Reason) -> None:
        """Ends the beams as they are."""
        for state in self._states:
            state.finish_reason = reason
            self.finished.add(state)
        self._states = []

    def _advance_by_logits(self, logits: npt.NDArray[np.float32]) -> None:
        # Logits plus these offsets are log-probabilities, to which rules are applied, as in transformers.
        offsets = -log_sum_exp(logits)
        if self._rules:
            logits = logits + offsets[:, None].astype(np.float32)
            offsets[:] = 0
            for process in self._rules:
                process(self._states, logits)
        rows, tokens = _best_candidates(logits, self._scores() + offsets, self._num_candidates)
        self._continue(rows, tokens, logits[rows, tokens] + offsets[rows])

    def _candidates_from_part(self, scores: TokenScores) -> _Candidates | None:
        """Returns the candidates if a part of the scores is enough to find them."""
        if self._needs_all_logits or not scores.prefers_parts:
            return None
        if self._rules:
            allowed = allowed_log_probabilities(self._states, scores)
            return None if allowed is None else self._best(*allowed)
        # One token more than needed shows if others are as likely as the last needed one.
        top = scores.top_tokens(self._num_candidates + 1)
        if top is None:
            return None
        ids, log_probabilities = top
        rows = np.repeat(np.arange(len(ids)), ids.shape[1])
        candidates = self._best(rows, ids.ravel(), log_probabilities.ravel())
        last = self._scores()[candidates[0][-1]] + candidates[2][-1]
        # Equally good ones leave open which the candidates are.
        return None if np.any(self._scores() + log_probabilities[:, -1] >= last) else candidates

    def _best(
        self, rows: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64], log_probabilities: npt.NDArray[np.float32]
    ) -> _Candidates:
        """Returns the best of these tokens, [requested] each; of equal ones first the first beam's first token."""
        best = np.lexsort((tokens, rows, -(self._scores()[rows] + log_probabilities)))[: self._num_candidates]
        return rows[best], tokens[best], log_probabilities[best]

    def _scores(self) -> npt.NDArray[np.float64]:
        return np.array([state.score for state in self._states])

    def _continue(
        self, rows: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64], log_probabilities: npt.NDArray[np.floating]
    ) -> None:
        """Continues the beams by candidates, best first: a beam's row, its next token, the token's log-probability."""
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


class Hypotheses:
    """The best finished sequences of one prompt, as many as there are beams.

    With `early_stopping` True the search stops when there are enough; with False when the running beams, at the length
    that they have now, are no better than the worst kept; with "never" when they could not become better at any length.

    Args:
        config: length penalty, number of beams, and condition for stopping.
        max_length: most new tokens of a sequence.
    """

    def __init__(self, config: GenerationConfig, max_length: int) -> None:
        self._size = config.num_beams
        self._length_penalty = config.length_penalty
        self._early_stopping = config.early_stopping
        self._max_length = max_length
        self._kept: list[SequenceState] = []

    @property
    def best_first(self) -> Sequence[SequenceState]:
        """Finished sequences, best first; their scores are those by which they are ranked."""
        return self._kept

    def add(self, state: SequenceState) -> None:
        """Keeps a finished sequence, whose score is the sum of its log-probabilities, if it is among the best."""
        state.score = self._ranked(state.score, max(1, state.num_new_tokens))
        # Of sequences with equal scores, the older one stays first.
        self._kept = sorted([*self._kept, state], key=lambda kept: -kept.score)[: self._size]

    def may_improve(self, best_running: float, length: int) -> bool:
        """Returns True if the search should go on.

        Args:
            best_running: largest sum of log-probabilities of the running beams.
            length: number of new tokens of the running beams.
        """
        if len(self._kept) < self._size:
            return True
        if self._early_stopping is True:
            return False
        if self._early_stopping == "never" and self._length_penalty > 0:
            length = self._max_length
        return self._ranked(best_running, length) > self._kept[-1].score

    def _ranked(self, log_probability: float, length: int) -> float:
        return float(log_probability / length**self._length_penalty)


def _best_candidates(
    values: npt.NDArray[np.float32], offsets: npt.NDArray[np.float64], count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Finds the largest of all rows' values [rows, vocab] + offsets [rows], largest first, of equal ones the first.

    Only the blocks with the largest maxima can hold them; to search those alone takes a tenth of the time.

    Returns:
        Rows and columns of the largest values, [count] each, or fewer if fewer are finite.

    Raises:
        ConfigError: no value is finite.
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
    """Returns the indices of the largest values, largest first, of equal ones the first."""
    if len(values) > count:
        least = np.partition(values, -count)[-count]
        at_least = np.flatnonzero(values >= least)
    else:
        at_least = np.arange(len(values))
    return at_least[np.argsort(-values[at_least], kind="stable")[:count]]
