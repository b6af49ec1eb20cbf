"""Which tokens may come next so that a model makes statements of a given form, and nothing else."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from biogpt_onnx.tasks.statement_parts import Part, Words

_KEPT = 64

_State = tuple[int, Any]
"""The number of a part, and a state of it."""


class StatementRule:
    """A rule for `generate(..., allowed=...)`: any number of statements, each made of parts, or none at all.

    All ways to read what is written are followed side by side: "and" may belong to an entity or end it. A statement
    that is made again is the last one, because a model that repeats itself has nothing more to say.

    Args:
        parts: of a statement, in order.
        separator: the token between two statements.
        ending: the tokens behind the last statement, the one that ends the text last.
    """

    def __init__(self, parts: Sequence[Part[Any]], separator: int, ending: Sequence[int]) -> None:
        end = Words(ending)
        self._parts = [*parts, Words([separator]), end]
        self._separator_id = separator
        self._separator, self._ending = len(parts), len(parts) + 1
        # Where there is nothing to state, the text ends at once.
        first = {self._begin(0), (self._ending, end.before_last)}
        self._states: dict[tuple[int, ...], set[_State]] = {(): first}

    def __call__(self, token_ids: Sequence[int]) -> tuple[int, ...]:
        """The tokens that may follow these; none behind the end, or behind what is no statement."""
        states = self._after(tuple(token_ids))
        separates = (self._separator, 0) in states and not self._repeats_itself(token_ids)
        tokens = {
            token
            for number, state in states
            if separates or number != self._separator
            for token in self._parts[number].next_tokens(state)
        }
        return tuple(sorted(tokens))

    def _after(self, written: tuple[int, ...]) -> set[_State]:
        known = next(size for size in range(len(written), -1, -1) if written[:size] in self._states)
        states = self._states[written[:known]]
        for size in range(known + 1, len(written) + 1):
            states = {new for number, state in states for new in self._advance(number, state, written[size - 1])}
            self._states[written[:size]] = states
        # A search goes on from what it asked about last; the first is the empty text.
        for old in list(islice(self._states, 1, max(1, len(self._states) - _KEPT))):
            del self._states[old]
        return states

    def _advance(self, number: int, state: Any, token: int) -> Iterator[_State]:  # noqa: ANN401 -- the part's own
        part = self._parts[number]
        if token not in part.next_tokens(state):
            return
        going_on, may_end = part.advance(state, token)
        if going_on is not None:
            yield number, going_on
        if may_end and number < self._separator:
            yield self._begin(number + 1)
        if may_end and number == self._separator - 1:
            yield self._begin(self._ending)
        if may_end and number == self._separator:
            yield self._begin(0)

    def _begin(self, number: int) -> _State:
        return number, self._parts[number].begin()

    def _repeats_itself(self, token_ids: Sequence[int]) -> bool:
        statements: list[list[int]] = [[]]
        for token in token_ids:
            if token == self._separator_id:
                statements.append([])
            else:
                statements[-1].append(token)
        return statements[-1] in statements[:-1]
