"""The next token of each sequence: the rules applied, then the most likely token or a random one."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import Scores, TokenScores
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.processors import distribution_rules, processors_for
from biogpt_onnx.runtime.decoding.selection.constraints import allowed_log_probabilities, only_allowed
from biogpt_onnx.runtime.decoding.selection.sampler import log_probabilities, most_likely, sample
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.errors import ConfigError

_Chosen = tuple[npt.NDArray[np.int64], npt.NDArray[np.floating]]
"""Tokens [rows] and their log-probabilities [rows]."""


class NextTokenSelector:
    """What a configuration says about the next token, for greedy search and sampling.

    Args:
        config: the rules, and whether tokens are sampled.
    """

    def __init__(self, config: GenerationConfig) -> None:
        self._process = processors_for(config, only_allowed)
        self._do_sample, self._top_k = config.do_sample, config.top_k
        self._shape = distribution_rules(config)
        # Beside these there is always the one that keeps to what is allowed.
        self._looks_at_all = len(self._process) > len(self._shape) + 1

    def append(self, states: Sequence[SequenceState], scores: Scores) -> npt.NDArray[np.int64]:
        """Gives each sequence its next token.

        Args:
            states: the sequences.
            scores: a row for each; logits are changed in place. From a device no more is brought than the rules need,
                and the token is the one that they choose from all logits.

        Returns:
            The tokens, [rows].

        Raises:
            ConfigError: the rules exclude every token.
        """
        if isinstance(scores, np.ndarray):
            return _appended(states, *self.choose(states, scores))
        chosen = self._choose_there(states, scores)
        return _appended(states, *(self.choose(states, scores.logits()) if chosen is None else chosen))

    def choose(
        self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The tokens [rows] and their log-probabilities [rows] by the model's own reckoning, before any rule."""
        raw = logits
        if len(self._process) > 1 or any(state.next_allowed is not None for state in states):
            raw = logits.copy()
            for process in self._process:
                process(states, logits)
        tokens = self._pick(states, logits)
        return tokens, log_probabilities(raw, tokens)

    def _choose_there(self, states: Sequence[SequenceState], following: TokenScores) -> _Chosen | None:
        """The same, of what is on a device, if a part of it is enough."""
        if self._looks_at_all:
            return None
        if not self._do_sample:
            return _likeliest(states, following)
        if any(state.next_allowed is not None for state in states):
            return None
        # One more shows whether the last of them has equals.
        if self._top_k and self._top_k < following.max_selected:
            return self._sample_selected(states, *following.likeliest(self._top_k + 1))
        return None

    def _sample_selected(
        self, states: Sequence[SequenceState], ids: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]
    ) -> _Chosen | None:
        """Samples from the likeliest tokens, unless equal ones leave open which these are."""
        if np.any(scores[:, self._top_k - 1] == scores[:, -1]):
            return None
        # In the order of the vocabulary, which decides between equals and in which chance goes through the tokens.
        order = ids.argsort(axis=-1)
        ids, scores = np.take_along_axis(ids, order, axis=-1), np.take_along_axis(scores, order, axis=-1)
        shaped = scores.copy()
        for process in self._shape:
            process(states, shaped)
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


def _likeliest(states: Sequence[SequenceState], following: TokenScores) -> _Chosen | None:
    """The likeliest token of each row, or of those that it allows."""
    keep_to_some = [state.next_allowed is not None for state in states]
    if not any(keep_to_some):
        ids, scores = following.likeliest(1)
        return ids[:, 0], scores[:, 0]
    allowed = allowed_log_probabilities(states, following)
    if allowed is None:
        return None
    ids, scores = np.empty((len(states), 1), dtype=np.int64), np.empty((len(states), 1), dtype=np.float32)
    if not all(keep_to_some):
        ids, scores = following.likeliest(1)
    rows, tokens, of_tokens = allowed
    for row in np.unique(rows):
        first, end = np.searchsorted(rows, [row, row + 1])
        best = first + of_tokens[first:end].argmax()
        ids[row], scores[row] = tokens[best], of_tokens[best]
    return ids[:, 0], scores[:, 0]


def _appended(
    states: Sequence[SequenceState], tokens: npt.NDArray[np.int64], scores: npt.NDArray[np.floating]
) -> npt.NDArray[np.int64]:
    for state, token, score in zip(states, tokens.tolist(), scores.tolist(), strict=True):
        state.append(token, score)
    return tokens


def refuse_excluded(best: npt.NDArray[np.floating]) -> None:
    """Refuses rules that leave a sequence no token.

    Args:
        best: the largest logit of each row.

    Raises:
        ConfigError: one is minus infinity.
    """
    if np.any(np.isneginf(best)):
        raise ConfigError(
            "no token may come next, because the rules together exclude them all: loosen allowed, bad_words_ids, "
            "suppress_tokens, no_repeat_ngram_size, min_new_tokens or logits_processors"
        )
