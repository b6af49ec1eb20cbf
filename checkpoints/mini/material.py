"""What a run is shown, and what its vocabulary is learned from."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from batches import Material
from data import language_texts
from titles import question

if TYPE_CHECKING:
    from data import Split
    from texts import Texts

_FULL_TEXT_SHARE = 0.15  # it is least like the abstracts that are measured
_DENIALS = 4  # times that a question is shown whose answer is no: titles seldom deny


def collect(train: Split, texts: Texts, seed: int) -> Material:
    """Put together everything that is trained on."""
    chunks = random.Random(seed).sample(texts.full_text, int(_FULL_TEXT_SHARE * len(texts.full_text)))
    asked = [found for article in texts.articles if (found := question(article))]
    return Material(
        texts=[*language_texts(train), *(article.joined for article in (*texts.articles, *chunks))],
        relations=train.abstracts,
        looser_relations=texts.relations,
        questions=train.questions,
        looser_questions=[item for item in asked for _ in range(_DENIALS if item.answer == "no" else 1)],
    )


def vocabulary_texts(material: Material) -> list[str]:
    """Return the texts that the vocabulary is learned from."""
    told = [document.target for document in material.relations] + [item.target for item in material.questions]
    told += [document.source for document in (*material.relations, *material.looser_relations)]
    return [*material.texts, *told, *(item.question for item in material.questions)]
