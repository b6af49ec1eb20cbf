"""Constrained decoding: generation that keeps to allowed tokens."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import TokenScores
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.errors import ConfigError

_Node = dict[int, Any]

_LARGEST_SHARE = 1 / 8
"""Largest share of the vocabulary that is requested token by token; for more, all logits are read. To request a token
moves some 28 bytes to and from a device, to read a logit 4."""


class TokenTrie:
    """A set of token sequences, of which a generation must be one; a rule for `generate(..., allowed=...)`.

    Args:
        sequences: token ids of each, including the ending token if the text must end there.

    Raises:
        ConfigError: there are no sequences, or one is empty.
    """

    def __init__(self, sequences: Iterable[Sequence[int]]) -> None:
        self._root: _Node = {}
        # The length of the longest sequence with each last token.
        self._longest: dict[int, int] = {}
        for sequence in sequences:
            if len(sequence) == 0:
                raise ConfigError("an allowed sequence of tokens is empty: give sequences of at least one token")
            node = self._root
            for token in sequence:
                node = node.setdefault(int(token), {})
            last = int(sequence[-1])
            self._longest[last] = max(len(sequence), self._longest.get(last, 0))
        if not self._root:
            raise ConfigError("there are no allowed sequences: give at least one")

    def __call__(self, token_ids: Sequence[int]) -> tuple[int, ...]:
        """Returns the tokens that may follow these; none after a whole sequence, or after tokens that begin none."""
        node = self._root
        for token in token_ids:
            node = node.get(token, {})
        return tuple(node)

    def check_room(self, max_new_tokens: int, end_token_ids: Collection[int]) -> None:
        """Refuses a number of new tokens within which some sequence would be cut off.

        Args:
            max_new_tokens: the most new tokens that a generation may have.
            end_token_ids: tokens that end a text; as the last one of a sequence they may be missing.

        Raises:
            ConfigError: a sequence is longer.
        """
        needed = max(length - (last in end_token_ids) for last, length in self._longest.items())
        if needed > max_new_tokens:
            raise ConfigError(
                f"an allowed text has {needed:,} tokens, and there is room for {max_new_tokens:,}: raise "
                "max_new_tokens, shorten the prompt, or allow shorter texts alone"
            )


class OnlyAllowed:
    """A rule that excludes all tokens but those that each sequence allows.

    Attributes:
        needs_all_logits: False, because the scores of the allowed tokens are enough.
    """

    needs_all_logits = False

    def __call__(self, states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        """Applies the rule to logits [rows, vocab] in place; see `LogitsProcessor`.

        Raises:
            ConfigError: a token outside the vocabulary is allowed.
        """
        for state, row in zip(states, logits, strict=True):
            if state.next_allowed is None:
                continue
            tokens = _as_tokens(state.next_allowed, len(row))
            kept = row[tokens]
            row[:] = -np.inf
            row[tokens] = kept


def allowed_log_probabilities(
    states: Sequence[SequenceState], scores: TokenScores
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]] | None:
    """Returns the log-probabilities of the tokens that sequences allow, if they cost less to read than all logits.

    Args:
        states: sequences; those that allow all tokens are left out.
        scores: next-token scores, a row for each sequence.

    Returns:
        Rows and tokens, both ascending, and their log-probabilities in nats, all [requested]. None if all logits cost
        less.

    Raises:
        ConfigError: a token outside the vocabulary is allowed.
    """
    size = scores.vocab_size
    # Unique and ascending, because the first of equally likely tokens is selected.
    tokens = {
        row: np.unique(_as_tokens(state.next_allowed, size))
        for row, state in enumerate(states)
        if state.next_allowed is not None
    }
    lengths = [len(of_row) for of_row in tokens.values()]
    if sum(lengths) > _LARGEST_SHARE * len(states) * size:
        return None
    rows, requested = np.repeat(list(tokens), lengths), np.concatenate(list(tokens.values()))
    return rows, requested, scores.log_probabilities(rows, requested)


def _as_tokens(allowed: Sequence[int], vocab_size: int) -> npt.NDArray[np.int64]:
    tokens = np.array(allowed, dtype=np.int64)
    outside = (tokens < 0) | (tokens >= vocab_size)
    if np.any(outside):
        raise ConfigError(f"allowed names token {tokens[outside][0]}, outside the vocabulary of {vocab_size:,}")
    return tokens
