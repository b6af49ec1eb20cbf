"""Origins of a prompt's words: those that are not whole words of the document."""

from collections.abc import Sequence
from typing import NamedTuple

from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.statements.mentions import folded


class WordOrigins(NamedTuple):
    """Words that are not whole words of the document.

    Attributes:
        added: The indices of words with characters that the prompt's form adds.
        divided: The indices of words that the tokenizer made of one word of the document, or even of one character that
            became several in lower case.
        continuing: The indices of words that the tokenizer parted from the word before them between a letter and a
            digit, as in "CO₂"; these are found in the document with and without a space.
    """

    added: frozenset[int]
    divided: frozenset[int]
    continuing: frozenset[int]


def word_origins(words: Sequence[str], source: Source) -> WordOrigins:
    """Returns which words are not whole words of the document.

    Args:
        words: The words of the source text in order, as the tokenizer divides it, with their characters unescaped.
        source: The source text. Where it has other characters than the words, the words from there on are taken for
            the document's.
    """
    added, divided, continuing = set[int](), set[int](), set[int]()
    characters = ((character, place) for character, place in folded(source.text) if character != " ")
    before: _Character | None = None
    for index, word in enumerate(words):
        for wanted in (character for character, _ in folded(word) if character != " "):
            character, place = next(characters, ("", 0))
            if character != wanted:
                return WordOrigins(frozenset(added), frozenset(divided), frozenset(continuing))
            this = _Character(character, place, source.origins[place], index)
            if this.origin is None:
                added.add(index)
            if before is not None and before.word != index and this.is_of_the_same_word(before):
                if this.is_letter_beside_digit(before):
                    continuing.add(index)
                else:
                    divided |= {before.word, index}
            before = this
    return WordOrigins(frozenset(added), frozenset(divided), frozenset(continuing))


class _Character(NamedTuple):
    text: str
    place: int
    origin: int | None
    word: int

    def is_of_the_same_word(self, before: "_Character") -> bool:
        """Returns True if the document has no division between two characters."""
        if self.origin is not None and self.origin == before.origin:
            return True
        return self.place - before.place <= 1 and self.text.isalnum() and before.text.isalnum()

    def is_letter_beside_digit(self, before: "_Character") -> bool:
        """Returns True if a space between two characters of different places would make no difference."""
        return self.place != before.place and self.text.isdigit() != before.text.isdigit()
