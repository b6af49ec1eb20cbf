"""Mentions: the spans of a document that hold the words that a model generated."""

from collections.abc import Sequence

from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.results import Span


class MentionFinder:
    """Finds words in a document, ignoring case and the spaces that detokenization adds or removes.

    Args:
        source: The source text that the model read.
    """

    def __init__(self, source: Source) -> None:
        kept = [(small, place) for place, character in enumerate(source.text) for small in _compared(character)]
        self._compared = "".join(small for small, _ in kept)
        self._places = [place for _, place in kept]
        self._source = source

    def find(self, words: str) -> Span | None:
        """Returns the first span of `Document.full_text` that holds these words as whole words; None if none does."""
        wanted = "".join(_compared(words))
        start = self._compared.find(wanted) if wanted else -1
        while start >= 0:
            span = self._span(start, start + len(wanted))
            if span is not None:
                return span
            start = self._compared.find(wanted, start + 1)
        return None

    def _span(self, start: int, end: int) -> Span | None:
        """Returns the span of these compared characters; None if they cut a word or come from the prompt's form."""
        first, last = self._places[start], self._places[end - 1]
        text, origins = self._source.text, self._source.origins
        if _within_word(text, first) or _within_word(text, last + 1):
            return None
        # A character that became several in lower case is taken whole.
        if _same_origin(origins, first - 1, first) or _same_origin(origins, last, last + 1):
            return None
        begin, finish = origins[first], origins[last]
        return None if begin is None or finish is None else (begin, finish + 1)


def _same_origin(origins: Sequence[int | None], place: int, following: int) -> bool:
    if place < 0 or following == len(origins) or origins[place] is None:
        return False
    return origins[place] == origins[following]


def _compared(text: str) -> str:
    # The tokenizer drops control characters, so the model has not seen them.
    return "".join(character for character in text.lower() if not character.isspace() and character >= " ")


def _within_word(text: str, place: int) -> bool:
    """Returns True if letters or digits stand on both sides of a place."""
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()
