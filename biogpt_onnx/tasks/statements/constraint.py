"""Constrained decoding of statements: the tokens that may come next so that the text is a list of statements."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from biogpt_onnx.tasks.statements.segments import FixedTokens, Segment
from biogpt_onnx.tasks.statements.separation import Separation

_KEPT = 64
"""Prefixes of which the states are kept."""

_State = tuple[int, Any]
"""The index of a segment, and a state of it."""


class StatementConstraint:
    """A constraint for `generate(..., allowed=...)`: any number of statements, each a sequence of segments.

    It is a nondeterministic automaton: all readings of the generated tokens are followed in parallel, because "and"
    may belong to an entity or end it. A statement that repeats an earlier one is the last one, because a model that
    repeats itself has nothing more to state.

    Args:
        segments: The segments of a statement, in order.
        separation: The token between two statements.
        ending: The tokens behind the last statement; the last of them ends the text.
    """

    def __init__(self, segments: Sequence[Segment[Any]], separation: Separation, ending: Sequence[int]) -> None:
        end = FixedTokens(ending)
        self._segments = [*segments, FixedTokens([separation.token_id]), end]
        self._separation = separation
        self._separator, self._ending = len(segments), len(segments) + 1
        # A text without statements ends at once.
        first = {self._begin(0), (self._ending, end.before_last)}
        self._states: dict[tuple[int, ...], set[_State]] = {(): first}

    def __call__(self, token_ids: Sequence[int]) -> tuple[int, ...]:
        """Returns the tokens that may follow.

        Args:
            token_ids: The new tokens so far.

        Returns:
            The allowed ids in ascending order; none behind the end, or behind tokens that are no list of statements.
        """
        states = self._after(tuple(token_ids))
        separates = (self._separator, 0) in states and not self._repeats_itself(token_ids)
        tokens = {
            token
            for index, state in states
            if separates or index != self._separator
            for token in self._segments[index].next_tokens(state)
        }
        return tuple(sorted(tokens))

    def _after(self, generated: tuple[int, ...]) -> set[_State]:
        known = next(size for size in range(len(generated), -1, -1) if generated[:size] in self._states)
        states = self._states[generated[:known]]
        for size in range(known + 1, len(generated) + 1):
            states = {new for index, state in states for new in self._advance(index, state, generated[size - 1])}
            self._states[generated[:size]] = states
        # A search continues the prefixes that it asked about last; the first entry is the empty prefix.
        for old in list(islice(self._states, 1, max(1, len(self._states) - _KEPT))):
            del self._states[old]
        return states

    def _advance(self, index: int, state: Any, token: int) -> Iterator[_State]:  # noqa: ANN401 -- the segment's own
        segment = self._segments[index]
        if token not in segment.next_tokens(state):
            return
        continued, may_end = segment.advance(state, token)
        if continued is not None:
            yield index, continued
        if may_end and index < self._separator:
            yield self._begin(index + 1)
        if may_end and index == self._separator - 1:
            yield self._begin(self._ending)
        if may_end and index == self._separator:
            yield self._begin(0)

    def _begin(self, index: int) -> _State:
        return index, self._segments[index].begin()

    def _repeats_itself(self, token_ids: Sequence[int]) -> bool:
        statements = [tokens for tokens, _ in self._separation.statements(token_ids)]
        return statements[-1] in statements[:-1]
