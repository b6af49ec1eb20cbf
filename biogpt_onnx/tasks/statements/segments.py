"""Segments of a statement, as the constraint on decoding reads them: fixed tokens and alternatives."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

StateT = TypeVar("StateT")


class Segment(Protocol[StateT]):
    """A segment of a statement: an automaton over tokens, whose state says how much of the segment is generated.

    No state is a dead end: every token that may follow is the first of some tokens that complete the segment, and the
    segment knows how few they can be.
    """

    def begin(self) -> StateT:
        """Returns the state in which no token of the segment is generated."""
        ...

    def next_tokens(self, state: StateT) -> Mapping[int, int]:
        """Returns the ids of the tokens that may follow in a state.

        Returns:
            For each id the fewest tokens, itself included, that complete the segment. Of the states in which `advance`
            leaves it, one is completed by the others of these tokens.
        """
        ...

    def advance(self, state: StateT, token: int) -> tuple[StateT | None, bool]:
        """Adds a token.

        Args:
            state: The state before the token.
            token: One of the state's `next_tokens`.

        Returns:
            The state in which the segment continues, None if it cannot; and True if the segment may end here.
        """
        ...


def fewest_tokens(segment: Segment[StateT]) -> int | None:
    """Returns the fewest tokens that a whole segment can have; None if no tokens complete it."""
    return min(segment.next_tokens(segment.begin()).values(), default=None)


class FixedTokens:
    """A segment of given tokens; its state is the number of tokens generated.

    Args:
        token_ids: The tokens, at least one.
    """

    def __init__(self, token_ids: Sequence[int]) -> None:
        self._token_ids = tuple(token_ids)

    def begin(self) -> int:
        """Returns 0; see `Segment.begin`."""
        return 0

    @property
    def before_last(self) -> int:
        """The state in which only the last token is missing."""
        return len(self._token_ids) - 1

    def next_tokens(self, state: int) -> Mapping[int, int]:
        """Returns the one token that may follow; see `Segment.next_tokens`."""
        return {self._token_ids[state]: len(self._token_ids) - state}

    def advance(self, state: int, token: int) -> tuple[int | None, bool]:  # noqa: ARG002 -- there is but one
        """Adds the token; see `Segment.advance`."""
        is_whole = state + 1 == len(self._token_ids)
        return (None if is_whole else state + 1), is_whole


class OneOf:
    """A segment that is one of several token sequences; its state is the tokens generated.

    Args:
        sequences: The token ids of each alternative, at least one each; without alternatives nothing completes it.
    """

    def __init__(self, sequences: Iterable[Sequence[int]]) -> None:
        self._next: dict[tuple[int, ...], dict[int, int]] = {(): {}}
        self._sequences = {tuple(sequence) for sequence in sequences}
        for sequence in self._sequences:
            for size, token in enumerate(sequence):
                following = self._next.setdefault(sequence[:size], {})
                following[token] = min(following.get(token, len(sequence)), len(sequence) - size)

    def begin(self) -> tuple[int, ...]:
        """Returns the empty sequence; see `Segment.begin`."""
        return ()

    def next_tokens(self, state: tuple[int, ...]) -> Mapping[int, int]:
        """Returns the tokens that continue the state to an alternative; see `Segment.next_tokens`."""
        return self._next[state]

    def advance(self, state: tuple[int, ...], token: int) -> tuple[tuple[int, ...] | None, bool]:
        """Adds a token; see `Segment.advance`."""
        generated = (*state, token)
        return (generated if generated in self._next else None), generated in self._sequences
