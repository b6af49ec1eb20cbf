"""Origins of a prompt's words: those that are not whole words of the document."""

from collections.abc import Sequence
from typing import NamedTuple

from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.statements.mentions import folded


class WordOrigins(NamedTuple):
    """Words that are not the document's alone.

    Attributes:
        added: The indices of words with characters that the prompt's form adds.
        divided: The indices of words that share a character of the document with another word, because it became
            several in lower case.
    """

    added: frozenset[int]
    divided: frozenset[int]


def word_origins(words: Sequence[str], source: Source) -> WordOrigins:
    """Returns which words are not the document's.

    Args:
        words: The words of the source text in order, as the tokenizer divides it, with their characters unescaped.
        source: The source text. Where it has other characters than the words, the words from there on are taken for
            the document's.
    """
    characters = ((character, place) for character, place in folded(source.text) if character != " ")
    added: set[int] = set()
    divided: set[int] = set()
    last: tuple[int, int] | None = None
    for index, word in enumerate(words):
        for wanted in (character for character, _ in folded(word) if character != " "):
            character, place = next(characters, ("", 0))
            if character != wanted:
                return WordOrigins(frozenset(added), frozenset(divided))
            origin = source.origins[place]
            if origin is None:
                added.add(index)
            elif last is not None and last[0] == origin and last[1] != index:
                divided |= {last[1], index}
            last = last if origin is None else (origin, index)
    return WordOrigins(frozenset(added), frozenset(divided))
