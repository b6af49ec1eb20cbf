"""From documents to batches: which form of a document is shown, and in whose company."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from bpe import PAD
from data import Example, Split, language_texts, plain, task, tasks

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from bpe import Tokenizer

_POOL = 160  # sequences sorted by length together: little padding, yet every batch is new


@dataclass(frozen=True)
class Mixture:
    """How often a document is shown in which form."""

    task_share: float = 0.33  # as a task rather than as plain text
    packed_share: float = 0.1  # of plain text: joined into rows that fill every position
    target_weight: float = 4.0  # loss of a target's token, beside 1 for any other
    batch_tokens: int = 3072
    row_tokens: int = 1024


@dataclass(frozen=True)
class Batch:
    """Token ids and the loss weight of predicting each of them, both [rows, length]."""

    ids: Tensor
    weights: Tensor


class Stream:
    """An endless, seeded stream of batches over the training documents."""

    def __init__(self, split: Split, tokenizer: Tokenizer, mixture: Mixture, source: random.Random) -> None:
        self._plain = [plain(tokenizer, text) for text in language_texts(split)]
        self._tasks = [task(tokenizer, document) for document in tasks(split)]
        self._mixture, self._random = mixture, source

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches epoch after epoch, without end."""
        while True:
            shown, packed = self._choose()
            batches = [*self._group(shown), *self._pack(packed)]
            self._random.shuffle(batches)
            for batch in batches:
                yield make_batch(batch, self._mixture.target_weight)

    def _choose(self) -> tuple[list[Example], list[Example]]:
        """Choose the form of each document for one epoch: alone, and to be packed."""
        shown, packed = [], []
        for index, text in enumerate(self._plain):
            # conclusions, at the end of the list, have no task of their own
            has_task = index < len(self._tasks)
            if has_task and self._random.random() < self._mixture.task_share:
                shown.append(self._tasks[index])
            elif self._random.random() < self._mixture.packed_share:
                packed.append(text)
            else:
                shown.append(text)
        return shown, packed

    def _group(self, examples: list[Example]) -> Iterator[list[Example]]:
        self._random.shuffle(examples)
        for first in range(0, len(examples), _POOL):
            pool = sorted(examples[first : first + _POOL], key=lambda e: -len(e.ids))
            while pool:
                rows = max(1, self._mixture.batch_tokens // len(pool[0].ids))
                yield pool[:rows]
                pool = pool[rows:]

    def _pack(self, examples: list[Example]) -> Iterator[list[Example]]:
        """Join texts, one ``</s>`` between two of them, and cut them into full rows."""
        self._random.shuffle(examples)
        length = self._mixture.row_tokens
        joined = [i for example in examples for i in example.ids[:-1]]
        rows = [
            Example(tuple(joined[first : first + length]), start=1) for first in range(0, len(joined) - length, length)
        ]
        per_batch = self._mixture.batch_tokens // length
        for first in range(0, len(rows), per_batch):
            yield rows[first : first + per_batch]


def make_batch(examples: Sequence[Example], target_weight: float = 1.0) -> Batch:
    """Pad to the right; the weight of padding, and of the given first token, is 0."""
    length = max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), length), PAD)
    weights = torch.zeros(len(examples), length)
    for row, example in enumerate(examples):
        end = len(example.ids)
        ids[row, :end] = torch.tensor(example.ids)
        weights[row, 1 : example.start] = 1.0
        weights[row, example.start : end] = target_weight if example.start > 1 else 1.0
    return Batch(ids, weights)
