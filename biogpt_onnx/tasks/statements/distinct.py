"""Distinct entities: a rule that keeps a statement's tail from being its head or a part of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.bpe import END_OF_WORD
from biogpt_onnx.tasks.statements.segments import Segment, fewest_tokens

Excludes = Callable[[tuple[int, ...], tuple[int, ...]], bool]
"""Returns True if the tokens of a head exclude those of a tail."""


def excluding_parts(tokenizer: BioGptTokenizer) -> Excludes:
    """Returns the rule that a tail is excluded that equals its head or is a part of it.

    A part consists of consecutive whole words. A full stop at the end of a word makes no difference.

    Args:
        tokenizer: The tokenizer that made the tokens.
    """

    def words(ids: tuple[int, ...]) -> list[str]:
        text = "".join(map(tokenizer.id_to_symbol, ids))
        return [word.removesuffix(".") for word in text.split(END_OF_WORD) if word.removesuffix(".")]

    def excludes(head: tuple[int, ...], tail: tuple[int, ...]) -> bool:
        whole, part = words(head), words(tail)
        return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))

    return excludes


class _Place(NamedTuple):
    """A place in a pair of entities.

    Attributes:
        number: The index of the segment.
        state: The segment's state.
        tokens: The generated tokens of the entity that is being generated.
        first: The tokens of the first entity, once it is whole.
    """

    number: int
    state: Any
    tokens: tuple[int, ...] = ()
    first: tuple[int, ...] = ()


PairState = frozenset[_Place]
"""The places at which the generated part of a pair of entities may end, one for each way to read it."""


class DistinctPair:
    """A segment of two entities and what stands between them, in which the first entity may exclude the second.

    How many tokens a pair needs depends on its first entity, so the shortest ways to the end are searched, breadth
    first: an entity goes on only where some second entity is left.

    Args:
        segments: The segment of the first entity, those between, and that of the second.
        excludes: Returns True if the tokens of the first entity exclude those of the second.
    """

    def __init__(self, segments: Sequence[Segment[Any]], excludes: Excludes) -> None:
        self._segments, self._excludes = tuple(segments), excludes
        self._last = len(segments) - 1
        # For each segment, the fewest tokens of those behind it, without the second entity.
        fewest = [fewest_tokens(segment) or 0 for segment in segments[1:]]
        self._behind = [sum(fewest[index:-1]) for index in range(len(fewest))]
        self._least_behind_first = sum(fewest)
        self._fewest_second: dict[tuple[int, ...], int | None] = {}
        self._next: dict[_Place, Mapping[int, int]] = {}

    def begin(self) -> PairState:
        """Returns the state before the first entity; see `Segment.begin`."""
        return frozenset([self._begin(0)])

    def next_tokens(self, state: PairState) -> Mapping[int, int]:
        """Returns the tokens that lead to a pair; see `Segment.next_tokens`."""
        fewest: dict[int, int] = {}
        for place in state:
            for token, num in self._next_at(place).items():
                fewest[token] = min(num, fewest.get(token, num))
        return fewest

    def advance(self, state: PairState, token: int) -> tuple[PairState | None, bool]:
        """Adds a token; see `Segment.advance`."""
        places: set[_Place] = set()
        may_end = False
        for place in state:
            if token not in self._next_at(place):
                continue
            tokens = (*place.tokens, token)
            continued, is_whole = self._segments[place.number].advance(place.state, token)
            if continued is not None:
                places.add(place._replace(state=continued, tokens=tokens))
            if not is_whole:
                continue
            if place.number == self._last:
                may_end = may_end or not self._excludes(place.first, tokens)
            else:
                places.add(self._begin(place.number + 1, place.first if place.number else tokens))
        left = frozenset(place for place in places if self._next_at(place))
        return left or None, may_end

    def _begin(self, index: int, first: tuple[int, ...] = ()) -> _Place:
        return _Place(index, self._segments[index].begin(), (), first)

    def _next_at(self, place: _Place) -> Mapping[int, int]:
        """Returns the tokens that lead from a place to the end of a pair, each with the fewest tokens to it."""
        known = self._next.get(place)
        if known is None:
            tokens = self._segments[place.number].next_tokens(place.state)
            found = {token: self._fewest(place, token) for token in tokens}
            known = self._next[place] = {token: num for token, num in found.items() if num is not None}
        return known

    def _fewest(self, place: _Place, token: int) -> int | None:
        """Returns the fewest tokens from a place to the end of a pair by way of a token; None if none lead there."""
        if place.number == self._last:
            return self._search(place, token, lambda tokens: None if self._excludes(place.first, tokens) else 0)
        if place.number == 0:
            return self._search(place, token, self._fewest_behind_first, self._least_behind_first)
        second = self._fewest_second_behind(place.first)
        here = self._segments[place.number].next_tokens(place.state)[token]
        return None if second is None else here + self._behind[place.number] + second

    def _fewest_behind_first(self, first: tuple[int, ...]) -> int | None:
        second = self._fewest_second_behind(first)
        return None if second is None else self._behind[0] + second

    def _fewest_second_behind(self, first: tuple[int, ...]) -> int | None:
        """Returns the fewest tokens of a second entity that the first one does not exclude; None if all are."""
        if first not in self._fewest_second:
            place, best = self._begin(self._last, first), None
            tokens = self._segments[self._last].next_tokens(place.state)
            for token in sorted(tokens, key=tokens.__getitem__):
                if best is not None and tokens[token] >= best:
                    break
                found = self._fewest(place, token)
                best = found if best is None or (found is not None and found < best) else best
            self._fewest_second[first] = best
        return self._fewest_second[first]

    def _search(
        self, place: _Place, token: int, fewest_behind: Callable[[tuple[int, ...]], int | None], least_behind: int = 0
    ) -> int | None:
        """Returns the fewest tokens from a place within an entity to the end of the pair by way of a token.

        Args:
            place: The place.
            token: A token that may follow in the entity.
            fewest_behind: Returns for the tokens of a whole entity the fewest that must follow, None if none can.
            least_behind: The fewest that follow any entity.
        """
        segment, best, depth = self._segments[place.number], None, 0
        reached = [(place.state, place.tokens, token)]
        while reached and (best is None or depth + 1 + least_behind < best):
            depth += 1
            further = []
            for state, before, following in reached:
                tokens = (*before, following)
                continued, may_end = segment.advance(state, following)
                behind = fewest_behind(tokens) if may_end else None
                if behind is not None and (best is None or depth + behind < best):
                    best = depth + behind
                if continued is not None:
                    further += [(continued, tokens, after) for after in segment.next_tokens(continued)]
            reached = further
        return best
