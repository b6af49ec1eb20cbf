"""Other names for a document's chemicals and diseases, so that a model must read them and not remember them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from data import Abstract

_MOST = 3  # names of a kind that are replaced in one document


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


def _choose(entities: Sequence[tuple[str, ...]], names: Sequence[str], source: random.Random) -> dict[str, str]:
    """Return the new name of each form of some entities."""
    chosen = source.sample(entities, source.randint(0, min(_MOST, len(entities))))
    return {form: name for forms, name in zip(chosen, source.sample(names, len(chosen)), strict=True) for form in forms}
