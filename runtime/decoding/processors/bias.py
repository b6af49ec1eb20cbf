"""Rules about the token that would complete a given sequence."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.processors.protocol import LARGEST
from biogpt_onnx.runtime.decoding.state import SequenceState


class SequenceBias:
    """Adds a number to the logit of a sequence's last token wherever the rest of it stands at the end of the ids.

    Args:
        biases: sequences of tokens, none empty, each with what is added: a number or -inf.
    """

    needs_all_logits = True

    def __init__(self, biases: Iterable[tuple[Sequence[int], float]]) -> None:
        # By what must stand before them, so that a step costs as many look-ups as there are lengths, not sequences.
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
        """See `LogitsProcessor`."""
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


def bad_words(words: Iterable[Sequence[int]], eos_token_id: int | None) -> SequenceBias:
    """Forbids the last token of each of these sequences wherever the rest of it stands at the end of the ids.

    A word that is `eos_token_id` alone is passed over, as transformers does: nothing could end.
    """
    return SequenceBias((word, -np.inf) for word in words if tuple(word) != (eos_token_id,))
