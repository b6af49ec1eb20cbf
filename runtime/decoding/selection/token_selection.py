"""Selection of each sequence's next token: the rules are applied, then the most likely token is taken or one drawn."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import TokenScores
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.processors import distribution_rules, processors_for
from biogpt_onnx.runtime.decoding.selection.constraints import OnlyAllowed, allowed_log_probabilities
from biogpt_onnx.runtime.decoding.selection.sampler import log_probabilities, most_likely, sample
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.top_tokens import top_tokens
from biogpt_onnx.runtime.errors import ConfigError

_Selected = tuple[npt.NDArray[np.int64], npt.NDArray[np.floating]]
"""Selected tokens [rows] and their log-probabilities [rows]."""


class NextTokenSelector:
    """The selector of next tokens for greedy search and sampling, by the rules of a configuration.

    Args:
        config: the settings; `do_sample` decides between greedy search and sampling.
    """

    def __init__(self, config: GenerationConfig) -> None:
        self._rules = processors_for(config, OnlyAllowed())
        self._distribution_rules = distribution_rules(config)
        self._do_sample, self._top_k = config.do_sample, config.top_k
        self._logprobs = config.logprobs or 0
        self._needs_all_logits = any(rule.needs_all_logits for rule in self._rules)

    def append(self, states: Sequence[SequenceState], scores: TokenScores) -> npt.NDArray[np.int64]:
        """Appends the next token to each sequence.

        Args:
            states: the sequences.
            scores: next-token scores, a row for each sequence. Only those that the rules need are requested; the token
                is the one that would be selected from all logits.

        Returns:
            The tokens, [rows].

        Raises:
            ConfigError: the rules exclude every token.
        """
        self.record_top(states, scores)
        selected = self._select_from_part(states, scores)
        return _appended(states, *(self.select(states, scores.logits()) if selected is None else selected))

    def has_rules_for(self, states: Sequence[SequenceState]) -> bool:
        """Returns True if a rule may change the logits of these sequences."""
        return len(self._rules) > 1 or any(state.next_allowed is not None for state in states)

    def record_top(self, states: Sequence[SequenceState], scores: TokenScores) -> None:
        """Records the most probable tokens at the place of each sequence's next token, if they are asked for.

        Must be called before `select`, whose rules change the scores.
        """
        if self._logprobs:
            for state, found in zip(states, top_tokens(scores, self._logprobs), strict=True):
                state.top_tokens[state.num_new_tokens :] = [found]

    def select(
        self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Returns the tokens [rows] and their log-probabilities [rows] by the model alone, before any rule.

        Args:
            states: the sequences.
            logits: [rows, vocab], changed in place by the rules.

        Raises:
            ConfigError: the rules exclude every token.
        """
        raw = logits
        if self.has_rules_for(states):
            raw = logits.copy()
            for rule in self._rules:
                rule(states, logits)
        tokens = self._pick(states, logits)
        return tokens, log_probabilities(raw, tokens)

    def _select_from_part(self, states: Sequence[SequenceState], scores: TokenScores) -> _Selected | None:
        """Selects the tokens if a part of the scores is enough."""
        if self._needs_all_logits or not scores.prefers_parts:
            return None
        if not self._do_sample:
            return _most_likely(states, scores)
        if not self._top_k or any(state.next_allowed is not None for state in states):
            return None
        # One token more than needed shows if others are as likely as the last needed one.
        top = scores.top_tokens(self._top_k + 1)
        return None if top is None else self._sample_from_top(states, *top)

    def _sample_from_top(
        self, states: Sequence[SequenceState], ids: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]
    ) -> _Selected | None:
        """Samples from the most likely tokens; returns None if equally likely ones leave open which these are."""
        if np.any(scores[:, self._top_k - 1] == scores[:, -1]):
            return None
        # In the vocabulary's order, which decides between equally likely tokens, and in which sampling adds up the
        # probabilities.
        order = ids.argsort(axis=-1)
        ids, scores = np.take_along_axis(ids, order, axis=-1), np.take_along_axis(scores, order, axis=-1)
        shaped = scores.copy()
        for rule in self._distribution_rules:
            rule(states, shaped)
        columns = self._pick(states, shaped)
        rows = np.arange(len(columns))
        return ids[rows, columns], scores[rows, columns]

    def _pick(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        if self._do_sample:
            refuse_excluded(logits.max(axis=-1))
            return sample(logits, [state.random for state in states if state.random is not None])
        tokens = most_likely(logits)
        refuse_excluded(logits[np.arange(len(tokens)), tokens])
        return tokens


def _most_likely(states: Sequence[SequenceState], scores: TokenScores) -> _Selected | None:
    """Selects the most likely token of each row, or of those that the row allows; None if a part is not enough."""
    is_constrained = [state.next_allowed is not None for state in states]
    allowed = allowed_log_probabilities(states, scores) if any(is_constrained) else None
    if allowed is None and any(is_constrained):
        return None
    ids, log_probs = np.empty(len(states), dtype=np.int64), np.empty(len(states), dtype=np.float32)
    if not all(is_constrained):
        top = scores.top_tokens(1)
        if top is None:
            return None
        ids, log_probs = top[0][:, 0], top[1][:, 0]
    if allowed is not None:
        rows, tokens, of_tokens = allowed
        for row in np.unique(rows):
            first, end = np.searchsorted(rows, [row, row + 1])
            best = first + of_tokens[first:end].argmax()
            ids[row], log_probs[row] = tokens[best], of_tokens[best]
    return ids, log_probs


def _appended(
    states: Sequence[SequenceState], tokens: npt.NDArray[np.int64], scores: npt.NDArray[np.floating]
) -> npt.NDArray[np.int64]:
    for state, token, score in zip(states, tokens.tolist(), scores.tolist(), strict=True):
        state.append(token, score)
    return tokens


def refuse_excluded(best: npt.NDArray[np.floating]) -> None:
    """Raises an error if the rules leave a sequence no token.

    Args:
        best: the largest logit of each row.

    Raises:
        ConfigError: the largest logit of a row is minus infinity.
    """
    if np.any(np.isneginf(best)):
        raise ConfigError(
            "no token may come next, because the rules together exclude them all: loosen allowed, bad_words_ids, "
            "suppress_tokens, no_repeat_ngram_size, min_new_tokens or logits_processors"
        )
