"""Origins of a prompt's words: those that hold characters which the prompt's form added to the document."""

from collections.abc import Sequence

from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.statements.mentions import folded


def added_words(words: Sequence[str], source: Source) -> frozenset[int]:
    """Returns the indices of the words that hold characters which are not the document's.

    Args:
        words: The words of the source text in order, as the tokenizer divides it, with their characters unescaped.
        source: The source text. Where it has other characters than the words, the words from there on are taken for
            the document's.
    """
    characters = ((character, place) for character, place in folded(source.text) if character != " ")
    found: set[int] = set()
    for index, word in enumerate(words):
        for wanted in (character for character, _ in folded(word) if character != " "):
            character, place = next(characters, ("", 0))
            if character != wanted:
                return frozenset(found)
            if source.origins[place] is None:
                found.add(index)
    return frozenset(found)
