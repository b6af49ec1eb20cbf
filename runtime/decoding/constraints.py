"""Generation that keeps to what is allowed."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.errors import ConfigError

_Node = dict[int, Any]


class TokenTrie:
    """Sequences of tokens, of which a generation must be one; a rule for `generate(..., allowed=...)`.

    Args:
        sequences: the new tokens of each, the ending token included where one shall stand.

    Raises:
        ConfigError: there are none, or one is empty.
    """

    def __init__(self, sequences: Iterable[Sequence[int]]) -> None:
        self._root: _Node = {}
        for sequence in sequences:
            if len(sequence) == 0:
                raise ConfigError("an allowed sequence of tokens is empty: give sequences of at least one token")
            node = self._root
            for token in sequence:
                node = node.setdefault(int(token), {})
        if not self._root:
            raise ConfigError("there are no allowed sequences: give at least one")

    def __call__(self, token_ids: Sequence[int]) -> tuple[int, ...]:
        """The tokens that may follow these; none after a whole sequence, or one that is none of them."""
        node = self._root
        for token in token_ids:
            node = node.get(token, {})
        return tuple(node)


def only_allowed(states: Sequence[SequenceState], logits: npt.NDArray[np.float32]) -> None:
    """Excludes all tokens but those that each sequence allows; see `LogitsProcessor`.

    Raises:
        ConfigError: a token outside the vocabulary is allowed.
    """
    for state, row in zip(states, logits, strict=True):
        if state.next_allowed is None:
            continue
        tokens = np.array(state.next_allowed, dtype=np.int64)
        if np.any((tokens < 0) | (tokens >= len(row))):
            raise ConfigError(
                f"allowed names token {tokens[(tokens < 0) | (tokens >= len(row))][0]}, outside the vocabulary of "
                f"{len(row):,}"
            )
        kept = row[tokens]
        row[:] = -np.inf
        row[tokens] = kept
