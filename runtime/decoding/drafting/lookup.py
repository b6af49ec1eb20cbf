"""Prompt lookup: drafts of the tokens that followed the last tokens earlier, in the prompt or in the text so far.

Prompt lookup decoding (Saxena 2023, https://github.com/apoorvumang/prompt-lookup-decoding): a summary, an answer or a
relation repeats words of its source, so that the tokens that followed the last few there are likely to come again. The
draft is verified by the model in one pass over all its tokens, which costs little more than a pass over one.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_WEIGHTS = (3, 2, 1)
"""Weights of the last three occurrences, the most recent first, which weighs as much as the other two together."""


class Draft(NamedTuple):
    """A draft of the next tokens.

    Attributes:
        token_ids: drafted tokens, in their order.
        matched: number of tokens at the end of the text that also precede the drafted ones where they occurred earlier.
    """

    token_ids: tuple[int, ...]
    matched: int


class _Occurrence(NamedTuple):
    """An earlier occurrence of the n-gram that ends the text.

    Attributes:
        position: index of the token after the occurrence.
        weight: weight of the occurrence among all.
    """

    position: int
    weight: int


class NgramLookup:
    """An index of all tokens so far by the n-grams before them.

    Adding a token takes `max_ngram_size` entries in a dictionary, finding a match as many look-ups.

    Args:
        ids: token ids of the prompt, and of any new tokens so far.
        max_ngram_size: most tokens that are compared; sizes of 3 and more give equal drafts on abstracts and relations.
    """

    def __init__(self, ids: Sequence[int] | npt.NDArray[np.int64], max_ngram_size: int) -> None:
        self._max_ngram_size = max_ngram_size
        self._ids: list[int] = []
        # The positions after each n-gram, ascending. An n-gram that ends the text is left out: nothing follows it yet.
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
        """Returns the number of tokens at the end, at most `max_ngram_size`, that occur together earlier; 0 if none do.

        A single token is a match only if its last three occurrences had one and the same next token. The token after
        "of" or a comma differs every time (one draft in ten is right on abstracts), while the first token of a rare
        name predicts the second (one in three, and one in two where relations are listed).
        """
        for size in range(min(self._max_ngram_size, len(self._ids)), 0, -1):
            occurrences = self._occurrences(size)
            if occurrences and (size > 1 or len(self._followers(occurrences, 0)) == 1):
                return size
        return 0

    def propose(self, max_tokens: int) -> Draft | None:
        """Drafts the next tokens from the last three occurrences of the longest n-gram that has any.

        Where they disagree, the draft follows those with the most weight together.

        Args:
            max_tokens: most tokens of the draft.

        Returns:
            The draft; None if nothing matches, or `max_tokens` is below 1.
        """
        matched = self.matched() if max_tokens > 0 else 0
        if not matched:
            return None
        token_ids: list[int] = []
        occurrences = self._occurrences(matched)
        while len(token_ids) < max_tokens:
            followers = self._followers(occurrences, len(token_ids))
            if not followers:
                break
            # Of tokens with equal weights, the first is taken, which is the most recent.
            token_id = max(followers, key=lambda token: sum(one.weight for one in followers[token]))
            token_ids.append(token_id)
            occurrences = followers[token_id]
        return Draft(tuple(token_ids), matched)

    def _occurrences(self, size: int) -> list[_Occurrence]:
        positions = self._positions.get(tuple(self._ids[-size:]), [])
        recent = reversed(positions[-len(_WEIGHTS) :])
        return [_Occurrence(position, weight) for position, weight in zip(recent, _WEIGHTS, strict=False)]

    def _followers(self, occurrences: list[_Occurrence], depth: int) -> dict[int, list[_Occurrence]]:
        """Groups the occurrences by the token `depth` tokens after them; those without one are left out."""
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
        # Beyond the end of the text the draft repeats itself, but only if the text has just repeated its last `period`
        # tokens, as greedy search does when it is caught in a loop; "A and B and" alone promises no "B and B and".
        if self._ids[-period:] != self._ids[-2 * period : -period]:
            return None
        return self._ids[position + depth % period]
