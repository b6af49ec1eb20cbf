"""Rules for the tokens that would complete given sequences."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.processors.protocol import LARGEST
from biogpt_onnx.runtime.decoding.state import SequenceState


class SequenceBias:
    """A rule that adds a number to the logit of a sequence's last token wherever the ids end in the rest of it.

    Args:
        biases: sequences of tokens, none empty, each with the number, or -inf, to add.
    """

    needs_all_logits = True

    def __init__(self, biases: Iterable[tuple[Sequence[int], float]]) -> None:
        # Keyed by the tokens before the last one, so that a step takes a look-up for each length, not each sequence.
        completions: dict[tuple[int, ...], list[tuple[int, float]]] = {}
        for (*before, token), bias in biases:
            limited = bias if bias == -np.inf else min(max(bias, -LARGEST), LARGEST)
            completions.setdefault(tuple(before), []).append((token, limited))
        self._completions = {
            before: (np.array([token for token, _ in pairs]), np.array([bias for _, bias in pairs], dtype=np.float32))
            for before, pairs in completions.items()
        }
        self._lengths = sorted(set(map(len, completions)))

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`."""
        for state, row in zip(states, logits, strict=True):
            for tokens, biases in self._completing(state.ids):
                row[tokens] += biases

    def _completing(
        self, ids: npt.NDArray[np.int64]
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        for length in self._lengths:
            if length <= len(ids):
                before = tuple(ids[len(ids) - length :].tolist())
                if before in self._completions:
                    yield self._completions[before]


def bad_words(words: Iterable[Sequence[int]], end_token_ids: Sequence[int]) -> SequenceBias:
    """Returns a rule that forbids the last token of each of these sequences wherever the ids end in the rest of it.

    A word that is an ending token alone is skipped, as in transformers: otherwise no sequence could end.
    """
    ending = [(token,) for token in end_token_ids]
    return SequenceBias((word, -np.inf) for word in words if tuple(word) not in ending)
