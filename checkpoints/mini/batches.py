"""From documents to batches: which documents are shown when, in which form, and in whose company."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch

from bpe import PAD
from forms import MAX_TOKENS, Example, task
from variants import Names, excerpt, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from bpe import Tokenizer
    from data import Abstract, Question

_POOL = 160  # sequences sorted by length together: little padding, yet every batch is new

ItemT = TypeVar("ItemT")


@dataclass(frozen=True)
class Mixture:
    """How often a document is shown in which form; shares are of the batches."""

    task_share: float = 0.2  # of tasks rather than running text
    late: float = 0.7  # progress from which on tasks have `late_task_share`
    late_task_share: float = 0.5
    end: float = 0.85  # progress from which on only the corpora that are measured are shown as tasks
    question_share: float = 0.3  # of the tasks
    looser_share: float = 0.6  # of either task: documents with looser annotation
    swapped_share: float = 0.5  # of documents with relations: names are exchanged
    shortened_share: float = 0.0  # of either task: excerpts of documents
    conclusion_share: float = 0.5  # of questions: the conclusion is shown
    packed_share: float = 0.1  # of running text: joined into rows that fill every position
    target_weight: float = 4.0  # loss of a target's token, beside 1 for any other
    label_weight: float = 4.0  # of the word that answers a question
    batch_tokens: int = 4096


MIXTURES = {
    "text": Mixture(),
    "tasks": Mixture(
        task_share=0.75,
        late_task_share=0.9,
        question_share=0.4,
        looser_share=0.3,
        shortened_share=0.5,
        label_weight=40.0,
    ),
}
"""What legs are made of: text first, then tasks."""


@dataclass(frozen=True)
class Material:
    """What there is to be shown."""

    texts: Sequence[str]
    relations: Sequence[Abstract]
    looser_relations: Sequence[Abstract]
    questions: Sequence[Question]
    looser_questions: Sequence[Question]


@dataclass(frozen=True)
class Batch:
    """Token ids and the loss weight of predicting each of them, both [rows, length]."""

    ids: Tensor
    weights: Tensor


class Cycle(Generic[ItemT]):
    """Items in a new order each time that all have been taken; `taken` is all its state."""

    def __init__(self, items: Sequence[ItemT], seed: str) -> None:
        self._items, self._seed = items, seed
        self.taken = 0
        self._epoch, self._order = -1, list(range(len(items)))

    def next(self) -> ItemT:
        """Return the next item."""
        epoch, index = divmod(self.taken, len(self._items))
        if epoch != self._epoch:
            self._order = random.Random(f"{self._seed} {epoch}").sample(range(len(self._items)), len(self._items))
            self._epoch = epoch
        self.taken += 1
        return self._items[self._order[index]]


class Stream:
    """An endless, seeded stream of batches over the training documents."""

    def __init__(
        self, material: Material, running: Sequence[Example], tokenizer: Tokenizer, mixture: Mixture, seed: int
    ) -> None:
        """Begin the stream.

        Args:
            material: what there is to be shown.
            running: its running text.
            tokenizer: encodes the rest, which is shown in ever new forms.
            mixture: how often what is shown.
            seed: of every choice.
        """
        self._tokenizer, self._mixture, self._seed = tokenizer, mixture, seed
        self._texts = Cycle(running, f"texts {seed}")
        self._relations = (
            Cycle(material.relations, f"relations {seed}"),
            Cycle(material.looser_relations, f"looser relations {seed}"),
        )
        self._questions = (
            Cycle(material.questions, f"questions {seed}"),
            Cycle(material.looser_questions, f"looser questions {seed}"),
        )
        self._names = Names([*material.relations, *material.looser_relations])
        self._random = random.Random(seed)
        self._waiting: dict[bool, list[list[Example]]] = {False: [], True: []}

    @property
    def _cycles(self) -> list[Cycle[Any]]:
        return [self._texts, *self._relations, *self._questions]

    def state(self) -> list[int]:
        """Return how far each kind of document has been shown."""
        return [cycle.taken for cycle in self._cycles]

    def go_on(self, state: Sequence[int]) -> None:
        """Go on where an earlier stream stopped; what it chose at random is chosen anew."""
        for cycle, taken in zip(self._cycles, state, strict=True):
            cycle.taken = taken
        self._random = random.Random(f"{self._seed} {state}")

    def batch(self, progress: float) -> Batch:
        """Return the next batch; ``progress`` is the share of the run that is done."""
        mixture = self._mixture
        share = mixture.task_share if progress < mixture.late else mixture.late_task_share
        is_task = self._random.random() < share
        waiting = self._waiting[is_task]
        if not waiting:
            waiting += self._task_batches(progress) if is_task else self._text_batches()
            self._random.shuffle(waiting)
        return make_batch(waiting.pop(), mixture.target_weight, mixture.label_weight)

    def _text_batches(self) -> list[list[Example]]:
        alone: list[Example] = []
        packed: list[Example] = []
        for _ in range(_POOL * 2):
            is_packed = self._random.random() < self._mixture.packed_share
            (packed if is_packed else alone).append(self._texts.next())
        return [*self._group(alone), *self._group(_pack(packed))]

    def _task_batches(self, progress: float) -> list[list[Example]]:
        looser = 0.0 if progress >= self._mixture.end else self._mixture.looser_share
        return list(self._group([self._task(looser) for _ in range(_POOL)]))

    def _task(self, looser: float) -> Example:
        chance, is_looser = self._random.random, self._random.random() < looser
        document: Abstract | Question
        if chance() < self._mixture.question_share:
            question = self._questions[is_looser].next()
            question = replace(question, shows_conclusion=chance() < self._mixture.conclusion_share)
            is_short = chance() < self._mixture.shortened_share
            document = shortened(question, self._random) if is_short else question
        else:
            abstract = self._relations[is_looser].next()
            if chance() < self._mixture.shortened_share:
                abstract = excerpt(abstract, self._random)
            if chance() < self._mixture.swapped_share:
                abstract = self._names.swap(abstract, self._random)
            document = abstract
        return task(self._tokenizer, document)

    def _group(self, examples: list[Example]) -> Iterator[list[Example]]:
        """Yield rows of similar length together."""
        pool = sorted(examples, key=lambda e: -len(e.ids))
        while pool:
            rows = max(1, self._mixture.batch_tokens // len(pool[0].ids))
            yield pool[:rows]
            pool = pool[rows:]


def _pack(examples: list[Example]) -> list[Example]:
    """Join texts, one ``</s>`` between two of them, and cut them into full rows."""
    joined = [i for example in examples for i in example.ids[:-1]]
    last = len(joined) - MAX_TOKENS + 1
    return [Example(tuple(joined[first : first + MAX_TOKENS]), start=1) for first in range(0, last, MAX_TOKENS)]


def make_batch(examples: Sequence[Example], target_weight: float = 1.0, label_weight: float = 1.0) -> Batch:
    """Pad to the right; the weight of padding, and of the given first token, is 0."""
    length = max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), length), PAD)
    weights = torch.zeros(len(examples), length)
    for row, example in enumerate(examples):
        end = len(example.ids)
        ids[row, :end] = torch.tensor(example.ids)
        weights[row, 1 : example.start] = 1.0
        weights[row, example.start : end] = target_weight if example.start > 1 else 1.0
        if example.label:
            weights[row, example.label] = label_weight
    return Batch(ids, weights)
