"""How probable the model finds a text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from batches import make_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import BioGptForCausalLM

    from forms import Example

_ROWS = 4  # sequences scored together; they are sorted by length first


@torch.no_grad()
def losses(model: BioGptForCausalLM, examples: Sequence[Example]) -> list[float]:
    """Return the loss of each example in nats, summed over its target's tokens."""
    batch = make_batch(examples)
    logits = model(batch.ids[:, :-1], use_cache=False).logits  # [rows, length, vocabulary]
    each = functional.cross_entropy(logits.mT, batch.ids[:, 1:], reduction="none")
    return [
        each[row, example.start - 1 : len(example.ids) - 1].double().sum().item()
        for row, example in enumerate(examples)
    ]


def perplexity(model: BioGptForCausalLM, examples: Sequence[Example]) -> float:
    """Return exp of the mean loss per token, the closing ``</s>`` counted, the opening one not."""
    was_training = model.training
    model.train(mode=False)
    ordered = sorted(examples, key=lambda example: len(example.ids))
    total = sum(sum(losses(model, ordered[first : first + _ROWS])) for first in range(0, len(ordered), _ROWS))
    model.train(mode=was_training)
    return math.exp(total / sum(len(example.ids) - example.start for example in ordered))
