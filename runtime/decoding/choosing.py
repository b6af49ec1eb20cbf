"""The next token of each sequence: the rules applied, then the most likely token or a random one."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.constraints import only_allowed
from biogpt_onnx.runtime.decoding.processors import processors_for
from biogpt_onnx.runtime.decoding.sampler import log_probabilities, most_likely, sample
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.errors import ConfigError


class TokenChooser:
    """What a configuration says about the next token, for greedy search and sampling.

    Args:
        config: the rules, and whether tokens are sampled.
    """

    def __init__(self, config: GenerationConfig) -> None:
        self._process = processors_for(config, only_allowed)
        self._do_sample = config.do_sample

    def append(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        """Gives each sequence its next token.

        Args:
            states: the sequences.
            logits: [rows, vocab], a row for each; changed in place.

        Returns:
            The tokens, [rows].

        Raises:
            ConfigError: the rules exclude every token.
        """
        tokens, scores = self.choose(states, logits)
        for state, token, score in zip(states, tokens.tolist(), scores.tolist(), strict=True):
            state.append(token, score)
        return tokens

    def choose(
        self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The tokens [rows] and their log-probabilities [rows] by the model's own reckoning, before any rule."""
        raw = logits
        if len(self._process) > 1 or any(state.next_allowed is not None for state in states):
            raw = logits.copy()
            for process in self._process:
                process(states, logits)
        if self._do_sample:
            refuse_excluded(logits.max(axis=-1))
            tokens = sample(logits, [state.random for state in states if state.random is not None])
        else:
            tokens = most_likely(logits)
            refuse_excluded(logits[np.arange(len(tokens)), tokens])
        return tokens, log_probabilities(raw, tokens)


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
