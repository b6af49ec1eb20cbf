"""The sequences that documents become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file

from bpe import EOS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from bpe import Tokenizer
    from data import Abstract, Question

NUM_SOFT_PROMPTS = 9  # as in Microsoft's fine-tunes for BC5CDR and PubMedQA
MAX_TOKENS = 1024  # as BioGPT's


@dataclass(frozen=True)
class Example:
    """A training sequence.

    Attributes:
        ids: its tokens.
        start: the first position that belongs to the target.
        label: the position of the word that answers a question; 0 for none.
    """

    ids: tuple[int, ...]
    start: int
    label: int = 0


def plain(tokenizer: Tokenizer, text: str) -> Example:
    """Return ``</s> text </s>``, all of it to be learned."""
    return Example((EOS, *tokenizer.encode(text), EOS), start=1)


def running_text(tokenizer: Tokenizer, texts: Iterable[str], cache: Path | None = None) -> list[Example]:
    """Return texts as sequences that fit the model's positions.

    Encoding takes minutes; with ``cache``, a file, it is done once.
    """
    if cache is not None and cache.exists():
        held = load_file(cache)
        return [Example(tuple(part.tolist()), start=1) for part in torch.split(held["ids"], held["lengths"].tolist())]
    found = [piece for text in texts for piece in pieces(plain(tokenizer, text))]
    if cache is not None:
        ids = torch.tensor([i for example in found for i in example.ids], dtype=torch.int32)
        save_file({"ids": ids, "lengths": torch.tensor([len(example.ids) for example in found])}, cache)
    return found


def pieces(example: Example) -> Iterator[Example]:
    """Cut running text that is longer than the model's positions."""
    for first in range(0, len(example.ids) - 1, MAX_TOKENS - 1):
        yield Example(example.ids[first : first + MAX_TOKENS], start=1)


def prompt(tokenizer: Tokenizer, source: str, room: int = 0) -> list[int]:
    """Return ``</s> source learned1..9``; the soft prompt's ids follow the vocabulary.

    A source that would not leave ``room`` tokens for the target is cut at its end.
    """
    first = len(tokenizer.vocabulary)
    given = tokenizer.encode(source)[: MAX_TOKENS - NUM_SOFT_PROMPTS - 1 - room]
    return [EOS, *given, *range(first, first + NUM_SOFT_PROMPTS)]


def task(tokenizer: Tokenizer, document: Abstract | Question) -> Example:
    """Return ``</s> source learned1..9 target </s>``."""
    target = (*tokenizer.encode(document.target), EOS)
    given = prompt(tokenizer, document.source, len(target))
    # a relation's names are many words, an answer is one
    label = len(given) + len(tokenizer.encode(document.before_label)) if document.before_label else 0
    return Example((*given, *target), start=len(given), label=label)
