"""What a task scores without a model: the same answer to everything."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Labels = frozenset[str]


@dataclass(frozen=True)
class Majority:
    """The answer that is true most often.

    Attributes:
        labels: the answer.
        of_training: whether it was counted in training data; what is counted in the gold itself knows too much.
    """

    labels: Labels
    of_training: bool

    @property
    def name(self) -> str:
        """What it is called in a report."""
        counted = "the training set" if self.of_training else "these documents themselves"
        return f'the majority answer "{", ".join(sorted(self.labels))}" of {counted}'


def majority(gold: Sequence[Labels], training: Sequence[Labels] | None = None) -> Majority:
    """The most frequent answer in training data or, for want of it, in the gold; of equally frequent the first by name.

    Args:
        gold: the truth about each document that is scored.
        training: the truth about others.
    """
    counts = Counter(training or gold)
    labels = min(counts, key=lambda each: (-counts[each], sorted(each)))
    return Majority(labels, of_training=bool(training))
