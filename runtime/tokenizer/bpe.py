"""Byte-pair encoding: the symbols of a word, by merges of which the one learned first is applied first."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

END_OF_WORD = "</w>"

# Most symbols of a word for which a check of every pair after each merge is faster than the bookkeeping for long words.
_SHORT_WORD = 64

Ranks = Mapping[tuple[str, str], int]


class BytePairEncoder:
    """An encoder that splits words into symbols by a table of merges.

    The algorithm is that of Sennrich et al. (2016), "Neural machine translation of rare words with subword units":
    while a pair of neighbours is in the table, take the one learned first and merge every occurrence of it from left
    to right. A merge may yield a string that is no symbol of the vocabulary: a later merge may yet complete it.

    Args:
        merges: pairs of symbols, the first learned first; for a pair that occurs twice the later place counts.
    """

    def __init__(self, merges: Sequence[tuple[str, str]]) -> None:
        self._ranks: Ranks = dict(zip(merges, range(len(merges)), strict=True))
        self._inside: frozenset[str] | None = None

    def split(self, word: str) -> list[str]:
        """Returns the symbols of a word, which must not be empty; the last symbol ends in `</w>`."""
        symbols = [*word[:-1], word[-1] + END_OF_WORD]
        if len(symbols) <= _SHORT_WORD:
            return _merge_short(symbols, self._ranks)
        return [symbol for part in self._independent_parts(symbols) for symbol in _merge(part, self._ranks)]

    def _independent_parts(self, symbols: list[str]) -> Iterator[list[str]]:
        """Yields parts that no merge can ever join, cut between characters that are adjacent in no merged string."""
        inside = self._characters_merged()
        start = 0
        for position in range(1, len(symbols)):
            if symbols[position - 1] + symbols[position][0] not in inside:
                yield symbols[start:position]
                start = position
        yield symbols[start:]

    def _characters_merged(self) -> frozenset[str]:
        if self._inside is None:
            # The characters at the seams are enough: a pair inside a part was the seam of an earlier merge.
            self._inside = frozenset(left[-1] + right[0] for left, right in self._ranks)
        return self._inside


def _merge_short(symbols: list[str], ranks: Ranks) -> list[str]:
    while len(symbols) > 1:
        known = [rank for pair in pairwise(symbols) if (rank := ranks.get(pair)) is not None]
        if not known:
            break
        symbols = _merge_everywhere(symbols, min(known), ranks)
    return symbols


def _merge_everywhere(symbols: list[str], rank: int, ranks: Ranks) -> list[str]:
    merged: list[str] = []
    position = 0
    while position < len(symbols):
        pair = (symbols[position], symbols[position + 1]) if position + 1 < len(symbols) else None
        if pair is not None and ranks.get(pair) == rank:
            merged.append(pair[0] + pair[1])
            position += 2
        else:
            merged.append(symbols[position])
            position += 1
    return merged


def _merge(symbols: list[str], ranks: Ranks) -> list[str]:
    return _merge_short(symbols, ranks) if len(symbols) <= _SHORT_WORD else _LongWord(symbols, ranks).merged()


class _LongWord:
    """The merges of a long word in O(n log n), in which places are kept by the rank of the pair that starts there.

    A pass takes all places of the lowest rank out before the first of them is merged, because with an arbitrary
    table a merge can create a pair of a lower rank, whose turn is only after the pass. No pass can create its own
    pair again: each pair that it creates holds the merged symbol, which is longer than its two parts.
    """

    def __init__(self, symbols: list[str], ranks: Ranks) -> None:
        self._symbols = symbols  # "" where a symbol was merged into the one on its left
        self._ranks = ranks
        # Arrays, not lists: a word of ten million characters has to fit.
        self._before = array("q", range(-1, len(symbols) - 1))
        self._after = array("q", range(1, len(symbols) + 1))
        self._places: dict[int, array[int]] = {}
        for place in range(len(symbols) - 1):
            self._note(place)
        self._queue = list(self._places)
        heapify(self._queue)

    def merged(self) -> list[str]:
        while self._queue:
            rank = heappop(self._queue)
            for place in sorted(self._places.pop(rank)):
                if self._rank_at(place) == rank:
                    self._merge_at(place)
        return [symbol for symbol in self._symbols if symbol]

    def _rank_at(self, place: int) -> int | None:
        after = self._after[place]
        # A place that was merged into another has the symbol "", and no merge has an empty part.
        return self._ranks.get((self._symbols[place], self._symbols[after])) if after < len(self._symbols) else None

    def _note(self, place: int) -> int | None:
        """Files a place under its pair's rank; returns the rank if nothing was filed there before."""
        rank = self._rank_at(place)
        if rank is None:
            return None
        places = self._places.get(rank)
        if places is not None:
            places.append(place)
            return None
        self._places[rank] = array("q", [place])
        return rank

    def _merge_at(self, place: int) -> None:
        gone = self._after[place]
        self._symbols[place] += self._symbols[gone]
        self._symbols[gone] = ""
        after = self._after[place] = self._after[gone]
        if after < len(self._symbols):
            self._before[after] = place
        for changed in (self._before[place], place):
            if changed >= 0 and (rank := self._note(changed)) is not None:
                heappush(self._queue, rank)
