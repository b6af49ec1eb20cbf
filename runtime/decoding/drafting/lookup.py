"""Guesses of the next tokens from what followed the same tokens earlier, in the prompt or in the text so far.

Prompt lookup decoding (Saxena 2023, https://github.com/apoorvumang/prompt-lookup-decoding): a summary, an answer or a
relation repeats words of its source, so that what stood after the last few tokens there is likely to come again. The
guess is checked by the model in one pass over all its tokens, which costs little more than a pass over one; those that
greedy search would have chosen anyway are kept. Where the past disagrees the guess is a tree, checked with a mask as in
SpecInfer (Miao et al. 2023, https://arxiv.org/abs/2305.09781) and Medusa (Cai et al. 2024,
https://arxiv.org/abs/2401.10774).
"""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_WEIGHTS = (3, 2, 1)
"""What the last three occurrences count, the most recent first: as much as the two before it together."""

_CONTINUATION = 0.7
"""How likely a guess is right where the one before it was: about this in text that repeats some of its source. It only
decides between a longer branch and one more, and results hardly depend on it (0.6 to 0.9 are alike)."""


class Draft(NamedTuple):
    """A guess of the next tokens: a tree, a chain when the past agrees.

    Attributes:
        token_ids: the nodes' tokens; a parent stands before its children, siblings differ.
        parents: index of each node's parent; -1 for the token that was chosen last.
        matched: how many tokens before the guess stood before it earlier, too.
    """

    token_ids: tuple[int, ...]
    parents: tuple[int, ...]
    matched: int

    @property
    def depth(self) -> int:
        """Tokens on the longest path: the most that can be accepted."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(1 if parent < 0 else depths[parent] + 1)
        return max(depths, default=0)


class _Occurrence(NamedTuple):
    """An earlier place of the n-gram at the end.

    Attributes:
        position: index of the token after it.
        weight: how much it counts.
    """

    position: int
    weight: int


class _Candidate(NamedTuple):
    """A node that may be added to a draft. Candidates sort by chance, equal ones in the order they were found.

    Attributes:
        negated_chance: minus the estimated chance that its whole path is accepted; a heap gives the smallest first.
        parent: index of its parent.
        rank: which of the parent's children it is, the most recent being 0.
        token_id: its token.
        depth: tokens before it in the draft.
        occurrences: those that its path followed.
    """

    negated_chance: float
    parent: int
    rank: int
    token_id: int
    depth: int
    occurrences: list[_Occurrence]


class NgramLookup:
    """An index of everything said so far, by the n-grams before it.

    Adding a token takes `max_ngram_size` entries in a dictionary, finding a match as many look-ups.

    Args:
        ids: the prompt, and any new tokens so far.
        max_ngram_size: most tokens that are compared; 3 and more find the same on abstracts and relations.
    """

    def __init__(self, ids: Sequence[int] | npt.NDArray[np.int64], max_ngram_size: int) -> None:
        self._max_ngram_size = max_ngram_size
        self._ids: list[int] = []
        # The positions after each n-gram, ascending. The one that ends the text has nothing after it, so it is not in.
        self._positions: dict[tuple[int, ...], list[int]] = {}
        self.extend(np.asarray(ids, dtype=np.int64).tolist())

    def extend(self, token_ids: Sequence[int]) -> None:
        """Adds tokens at the end."""
        for token_id in token_ids:
            position = len(self._ids)
            for size in range(1, min(self._max_ngram_size, position) + 1):
                self._positions.setdefault(tuple(self._ids[-size:]), []).append(position)
            self._ids.append(token_id)

    def matched(self) -> int:
        """How many tokens at the end, at most `max_ngram_size`, stand together earlier, too; 0 for no match.

        A single token is a match only if the same token came after it each time of late. What follows "of" or a comma
        differs every time (one guess in ten is right on abstracts), while the first token of a rare name tells the
        second (one in three, and one in two where relations are listed).
        """
        for size in range(min(self._max_ngram_size, len(self._ids)), 0, -1):
            occurrences = self._occurrences(size)
            if occurrences and (size > 1 or len(self._followers(occurrences, 0)) == 1):
                return size
        return 0

    def propose(self, max_tokens: int, *, branches: bool = True) -> Draft | None:
        """Guesses the next tokens from the last three occurrences of the longest n-gram that has any.

        The tree takes, one by one, the token that is most likely to be accepted, which gives the largest expected
        number of accepted tokens: the more recent and the more frequent a continuation, the more of the nodes it has.

        Args:
            max_tokens: most nodes.
            branches: whether it may be a tree; if not, it is the path of the likeliest tokens.

        Returns:
            None where nothing matches, or `max_tokens` is 0.
        """
        matched = self.matched()
        if not matched or max_tokens < 1:
            return None
        token_ids: list[int] = []
        parents: list[int] = []
        candidates = self._children(self._occurrences(matched), parent=-1, depth=0, chance=1.0)
        heapq.heapify(candidates)
        while candidates and len(token_ids) < max_tokens:
            best = heapq.heappop(candidates)
            if not branches:
                candidates.clear()
            for child in self._children(
                best.occurrences, parent=len(token_ids), depth=best.depth + 1, chance=-best.negated_chance
            ):
                heapq.heappush(candidates, child)
            token_ids.append(best.token_id)
            parents.append(best.parent)
        return Draft(tuple(token_ids), tuple(parents), matched)

    def _occurrences(self, size: int) -> list[_Occurrence]:
        positions = self._positions.get(tuple(self._ids[-size:]), [])
        recent = reversed(positions[-len(_WEIGHTS) :])
        return [_Occurrence(position, weight) for position, weight in zip(recent, _WEIGHTS, strict=False)]

    def _children(self, occurrences: list[_Occurrence], *, parent: int, depth: int, chance: float) -> list[_Candidate]:
        """What may follow a node that has this chance, after a path that these occurrences were followed by so far."""
        total = sum(occurrence.weight for occurrence in occurrences)
        return [
            _Candidate(
                negated_chance=-chance * _CONTINUATION * sum(occurrence.weight for occurrence in followed) / total,
                parent=parent,
                rank=rank,
                token_id=token_id,
                depth=depth,
                occurrences=followed,
            )
            for rank, (token_id, followed) in enumerate(self._followers(occurrences, depth).items())
        ]

    def _followers(self, occurrences: list[_Occurrence], depth: int) -> dict[int, list[_Occurrence]]:
        """The occurrences by the token that comes `depth` tokens after them; those without one are left out."""
        followers: dict[int, list[_Occurrence]] = defaultdict(list)
        for occurrence in occurrences:
            token_id = self._token_after(occurrence.position, depth)
            if token_id is not None:
                followers[token_id].append(occurrence)
        return followers

    def _token_after(self, position: int, depth: int) -> int | None:
        if position + depth < len(self._ids):
            return self._ids[position + depth]
        period = len(self._ids) - position
        # Here the guess would go on from itself. It does where the text has just said the same `period` tokens twice,
        # as greedy search does when it is caught in a loop; "A and B and" alone promises no "B and B and".
        if self._ids[-period:] != self._ids[-2 * period : -period]:
            return None
        return self._ids[position + depth % period]
