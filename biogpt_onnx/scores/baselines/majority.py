"""Majority baseline: the most frequent answer, given to every document."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Labels = frozenset[str]


@dataclass(frozen=True)
class MajorityBaseline:
    """The most frequent answer.

    Attributes:
        labels: the answer.
        of_training: whether it was counted in training data; if counted in the gold itself, it knows too much.
    """

    labels: Labels
    of_training: bool

    @property
    def name(self) -> str:
        """Name in a report."""
        counted = "the training set" if self.of_training else "these documents themselves"
        return f'the majority answer "{", ".join(sorted(self.labels))}" of {counted}'


def majority_baseline(gold: Sequence[Labels], training: Sequence[Labels] | None = None) -> MajorityBaseline:
    """Finds the most frequent answer of training data or, without these, of the gold; of equals the first by name.

    Args:
        gold: the gold answer of each document that is scored.
        training: the gold answers of other documents; None or empty for no training data.
    """
    counts = Counter(training or gold)
    labels = min(counts, key=lambda each: (-counts[each], sorted(each)))
    return MajorityBaseline(labels, of_training=bool(training))
