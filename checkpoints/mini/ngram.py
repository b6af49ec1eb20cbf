"""The baseline: interpolated modified Kneser-Ney (Chen and Goodman 1999) over the same tokens."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bpe import EOS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from forms import Example

Gram = tuple[int, ...]


@dataclass
class _Level:
    """The counts of one order and what discounting needs of them."""

    counts: Counter[Gram]
    totals: Counter[Gram] = field(default_factory=Counter)
    # of each context: how many of its continuations were seen once, twice, three times or more
    kinds: defaultdict[Gram, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * 3))

    def __post_init__(self) -> None:
        for gram, count in self.counts.items():
            self.totals[gram[:-1]] += count
            self.kinds[gram[:-1]][min(count, 3) - 1] += 1
        self.discounts = _discounts(Counter(self.counts.values()))

    def discount(self, count: int) -> float:
        """Return what is taken from a count for the unseen."""
        return self.discounts[min(count, 3) - 1] if count else 0.0


def _discounts(seen: Counter[int]) -> tuple[float, float, float]:
    """Return Chen and Goodman's estimates for counts of one, two, and three or more."""
    n1, n2, n3, n4 = (max(1, seen[count]) for count in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    estimates = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    first, second, third = (min(max(e, 0.0), i + 1.0) for i, e in enumerate(estimates))
    return first, second, third


class KneserNey:
    """An n-gram model; order 1 is a unigram model interpolated with the uniform one."""

    def __init__(self, examples: Sequence[Example], order: int, vocabulary: int) -> None:
        """Count the examples.

        Args:
            examples: ``</s> … </s>`` each; nothing is predicted across their bounds.
            order: 3 for a trigram model.
            vocabulary: the number of ids that share what is left over.
        """
        self._order, self._vocabulary = order, vocabulary
        self._levels = [_Level(counts) for counts in _kneser_ney_counts(examples, order)]

    def probability(self, gram: Gram) -> float:
        """Return the probability of the last id given those before it."""
        if not gram:
            return 1 / self._vocabulary
        level, context = self._levels[len(gram) - 1], gram[:-1]
        lower = self.probability(gram[1:])
        total = level.totals[context]
        if not total:
            return lower
        count = level.counts[gram]
        spared = sum(d * k for d, k in zip(level.discounts, level.kinds[context], strict=True))
        return (count - level.discount(count) + spared * lower) / total

    def perplexity(self, examples: Iterable[Example]) -> float:
        """Return exp of the mean loss per token; the opening ``</s>`` is not predicted."""
        losses = [
            -math.log(self.probability(gram)) for example in examples for gram in _grams(example.ids, self._order)
        ]
        return math.exp(sum(losses) / len(losses))


def _grams(ids: Sequence[int], order: int) -> Iterator[Gram]:
    """Yield the gram that ends in each id but the first; the start is padded with ``</s>``."""
    padded = (*[EOS] * (order - 2), *ids) if order > 1 else tuple(ids)
    first = max(order - 1, 1)
    for end in range(first, len(padded)):
        yield padded[end - order + 1 : end + 1]


def _kneser_ney_counts(examples: Sequence[Example], order: int) -> list[Counter[Gram]]:
    """Count grams of each order; below the highest, count the distinct ids before a gram."""
    counts = Counter(gram for example in examples for gram in _grams(example.ids, order))
    levels = [counts]
    for _ in range(order - 1):
        levels.append(Counter(gram[1:] for gram in levels[-1]))
    return levels[::-1]
