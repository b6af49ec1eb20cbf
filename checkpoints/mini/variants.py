"""Variants of annotated documents, so that a model must read them and cannot remember them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from data import Abstract, Question

_MOST = 3  # names of a kind that are replaced in one document
_SENTENCE = re.compile(r"(?<=[.!?]) +(?=[A-Z0-9])")


class Names:
    """All names of the training documents."""

    def __init__(self, documents: Sequence[Abstract]) -> None:
        """Collect them; a name as often as documents hold it."""
        self._chemicals = [forms[0] for document in documents for forms in document.chemicals]
        self._diseases = [forms[0] for document in documents for forms in document.diseases]

    def swap(self, document: Abstract, source: random.Random) -> Abstract:
        """Return the document with some of its names replaced throughout, in lower case."""
        new = _choose(document.chemicals, self._chemicals, source)
        new |= _choose(document.diseases, self._diseases, source)
        if not new:
            return document
        # the longest first: "renal failure" before "failure"
        old = "|".join(re.escape(form) for form in sorted(new, key=len, reverse=True))
        text = re.sub(rf"(?<!\w)(?:{old})(?!\w)", lambda found: new[found.group()], document.text.lower())
        relations = tuple((new.get(c, c), new.get(d, d)) for c, d in document.relations)
        return replace(document, text=text, relations=relations)


def excerpt(document: Abstract, source: random.Random) -> Abstract:
    """Return some neighbouring sentences of a document with the relations whose names stand in them.

    The whole document is returned where no relation would be left.
    """
    sentences = _SENTENCE.split(document.text)
    first = source.randrange(len(sentences))
    text = " ".join(sentences[first : first + source.randint(1, len(sentences))])
    lowered = text.lower()
    kept = tuple(pair for pair in document.relations if all(name in lowered for name in pair))
    return replace(document, text=text, relations=kept) if kept else document


def shortened(question: Question, source: random.Random) -> Question:
    """Return a question with the last sentences of its context; with none, if its conclusion is shown."""
    sentences = _SENTENCE.split(question.context)
    left = source.randint(0 if question.shows_conclusion else 1, len(sentences))
    return replace(question, context=" ".join(sentences[len(sentences) - left :]))


def _choose(entities: Sequence[tuple[str, ...]], names: Sequence[str], source: random.Random) -> dict[str, str]:
    """Return the new name of each form of some entities."""
    chosen = source.sample(entities, source.randint(0, min(_MOST, len(entities))))
    return {form: name for forms, name in zip(chosen, source.sample(names, len(chosen)), strict=True) for form in forms}
