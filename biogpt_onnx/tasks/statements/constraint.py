"""Constrained decoding of statements: the tokens that may come next so that the text is a list of statements."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, islice, pairwise
from typing import Any, NamedTuple

from biogpt_onnx.tasks.statements.segments import FixedTokens, Segment, fewest_tokens

_KEPT = 64
"""Prefixes of which the states are kept."""

_State = tuple[int, Any]
"""The index of a segment, and a state of it."""

_States = Mapping[_State, tuple[int, ...]]
"""States, each with the indices of the tokens with which the statements on the way to it begin."""

Slot = tuple[str, Segment[Any]]
"""A segment, with the name of the slot that it fills; "" for words between slots."""

Reading = Mapping[str, tuple[int, ...]]
"""The tokens that fill each slot of a statement."""


class StatementTokens(NamedTuple):
    """A statement among generated tokens.

    Attributes:
        token_ids: Its tokens, without the separator behind it and the ending.
        end: The index behind its separator or, of the last one, behind the ending.
        readings: The ways to fill the slots, those with the longest first slot first; none if it is unfinished.
    """

    token_ids: tuple[int, ...]
    end: int
    readings: tuple[Reading, ...]


class StatementConstraint:
    """A constraint for `generate(..., allowed=...)`: any number of statements, each a sequence of segments.

    It is a nondeterministic automaton: all readings of the generated tokens are followed in parallel, because "and"
    may belong to an entity or end it. A statement that repeats an earlier one is the last one, because a model that
    repeats itself has nothing more to state.

    There are no dead ends: whichever allowed tokens are chosen, the text ends, with whole statements and within
    `max_new_tokens`. Proof: let a state's cost be the fewest tokens from it to the end of the text. It is the sum of
    what the state's segment needs, which the segment knows exactly, and of the fewest tokens of each later segment
    and of the ending. A token is allowed only if from some state it leads to the end within the tokens that are left.
    By `Segment.next_tokens`, one of the states behind it is one token nearer to the end: the same segment with a cost
    smaller by one; or, if the cost of the segment was one, the beginning of the next segment, which is the cheapest
    state of it. So that state has a token of its own that fits in what is then left, and by induction so has every
    state until the cost is none, which is behind the ending alone. The rule about repetition takes away the separator
    alone, and where a separator may stand, the ending may stand too. In the beginning, the ending token always fits.

    Args:
        slots: The segments of a statement, in order. If nothing completes one of them, there are no statements.
        separator: The token between two statements.
        ending: The tokens behind the last statement; the last of them ends the text.
        max_new_tokens: The most tokens that the text may have; None for any number.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        separator: int,
        ending: Sequence[int],
        *,
        max_new_tokens: int | None = None,
    ) -> None:
        end = FixedTokens(ending)
        self._slots = tuple(slots)
        segments = [segment for _, segment in slots]
        self._segments = [*segments, FixedTokens([separator]), end]
        self._separator, self._ending = len(segments), len(segments) + 1
        self._end_token = ending[-1]
        self._max_new_tokens = max_new_tokens
        fewest = [fewest_tokens(segment) for segment in segments]
        needed = [num or 0 for num in fewest]
        # For each segment, the fewest tokens behind it.
        whole, *behind = reversed(list(accumulate(reversed(needed), initial=len(ending))))
        self._behind = [*behind, whole, 0]
        # A text without statements ends at once.
        first = [(self._ending, end.before_last), *([] if None in fewest else [self._begin(0)])]
        self._states: dict[tuple[int, ...], _States] = {(): dict.fromkeys(first, (0,))}
        self._narrowed: set[tuple[int, ...]] = set()

    def __call__(self, token_ids: Sequence[int]) -> tuple[int, ...]:
        """Returns the tokens that may follow.

        Args:
            token_ids: The new tokens so far.

        Returns:
            The allowed ids in ascending order; none behind the end, or behind tokens that are no list of statements.
        """
        generated = tuple(token_ids)
        fewest = self._fewest_tokens(generated)
        if self._max_new_tokens is None:
            return tuple(sorted(fewest))
        left = self._max_new_tokens - len(generated)
        fitting = tuple(sorted(token for token, num in fewest.items() if num <= left))
        if len(fitting) < len(fewest):
            self._narrowed.add(generated)
        return fitting

    def narrowed(self, token_ids: Sequence[int]) -> list[int]:
        """Returns the indices of the tokens in whose places `max_new_tokens` excluded others, in ascending order.

        The constraint must have been asked for each of the tokens, as it is while they are generated.
        """
        generated = tuple(token_ids)
        return sorted(len(prefix) for prefix in self._narrowed if generated[: len(prefix)] == prefix)

    def read(self, token_ids: Sequence[int]) -> list[StatementTokens]:
        """Returns the statements of generated tokens; the last one may be unfinished.

        Args:
            token_ids: The tokens as far as they were generated.
        """
        generated = tuple(token_ids)
        text = generated[:-1] if generated[-1:] == (self._end_token,) else generated
        # Tokens that were not allowed belong to the last statement.
        known = next(size for size in range(len(text), -1, -1) if self._after(text[:size]) or not size)
        (index, state), starts = min(self._after(text[:known]).items(), key=self._unfinished)
        num_ending = state if index == self._ending and text else 0
        bounds = [*((start, end - 1) for start, end in pairwise(starts)), (starts[-1], len(text) - num_ending)]
        ends = (*starts[1:], len(generated))
        statements = [
            StatementTokens(text[start:stop], end, tuple(self._readings(text[start:stop])))
            for (start, stop), end in zip(bounds, ends, strict=True)
        ]
        return statements if text else []

    def _unfinished(self, state_and_starts: tuple[_State, tuple[int, ...]]) -> int:
        """Returns a state's rank: the lower, the less is missing until the end of the text."""
        (index, state), _ = state_and_starts
        return -state if index == self._ending else index < self._separator

    def _readings(self, tokens: tuple[int, ...], index: int = 0) -> Iterator[Reading]:
        """Yields the ways in which tokens fill the slots of a statement from a segment on."""
        if index == len(self._slots):
            yield from [{}] if not tokens else []
            return
        name, segment = self._slots[index]
        for size in reversed(_sizes(tokens, segment)):
            filled = {name: tokens[:size]} if name else {}
            yield from ({**filled, **rest} for rest in self._readings(tokens[size:], index + 1))

    def _fewest_tokens(self, generated: tuple[int, ...]) -> dict[int, int]:
        """Returns for each token that may follow the fewest tokens, itself included, to the end of the text."""
        fewest: dict[int, int] = {}
        for (index, state), starts in self._after(generated).items():
            if index == self._separator and self._repeats_itself(generated, starts):
                continue
            for token, num in self._segments[index].next_tokens(state).items():
                total = num + self._behind[index]
                fewest[token] = min(total, fewest.get(token, total))
        return fewest

    def _after(self, generated: tuple[int, ...]) -> _States:
        known = next(size for size in range(len(generated), -1, -1) if generated[:size] in self._states)
        states = self._states[generated[:known]]
        for size in range(known + 1, len(generated) + 1):
            states = self._advanced(states, generated[size - 1], size)
            self._states[generated[:size]] = states
        # A search continues the prefixes that it asked about last; the first entry is the empty prefix.
        for old in list(islice(self._states, 1, max(1, len(self._states) - _KEPT))):
            del self._states[old]
        return states

    def _advanced(self, states: _States, token: int, size: int) -> _States:
        """Returns the states behind a token, the last one of `size`."""
        advanced: dict[_State, tuple[int, ...]] = {}
        for (index, state), starts in states.items():
            for new in self._next_states(index, state, token):
                # Readings that differ in earlier statements alone are continued alike: one of them is enough.
                advanced.setdefault(new, (*starts, size) if index == self._separator else starts)
        return advanced

    def _next_states(self, index: int, state: Any, token: int) -> Iterator[_State]:  # noqa: ANN401 -- the segment's own
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

    @staticmethod
    def _repeats_itself(generated: tuple[int, ...], starts: tuple[int, ...]) -> bool:
        """Returns True if the last statement is one of those before it."""
        earlier = {generated[start : end - 1] for start, end in pairwise(starts)}
        return generated[starts[-1] :] in earlier


def _sizes(tokens: tuple[int, ...], segment: Segment[Any]) -> list[int]:
    """Returns how many of the tokens a segment may have that begins with the first, in ascending order."""
    sizes = []
    state = segment.begin()
    for size, token in enumerate(tokens, start=1):
        if state is None or token not in segment.next_tokens(state):
            break
        state, may_end = segment.advance(state, token)
        sizes += [size] if may_end else []
    return sizes
