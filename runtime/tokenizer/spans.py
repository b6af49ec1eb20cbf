"""Spans of tokens: the characters of a text from which each token comes."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from biogpt_onnx.runtime.tokenizer.moses import LINKING_SPACE, words_of
from biogpt_onnx.runtime.tokenizer.words import WordMap

_JOINT = "@-@"
# Moses escapes these; an ampersand of the text itself is always a token of its own, `&amp;`.
_ENTITIES = {
    "&amp;": "&",
    "&#124;": "|",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&apos;": "'",
    "&#91;": "[",
    "&#93;": "]",
}
_UNITS = re.compile(f"{'|'.join(_ENTITIES)}|.", re.DOTALL)


Span = tuple[int, int]
"""Start and end of some characters of a text, the end excluded."""


class TokenSpan(NamedTuple):
    """A token of a text, and the characters that it comes from.

    Attributes:
        symbol: symbol of the token, which need not be in the vocabulary.
        start: index of its first character in the text.
        end: index behind its last character.
        word: number of the Moses token that it is a part of, counted from 0.
    """

    symbol: str
    start: int
    end: int
    word: int


def token_spans(text: str, split: Callable[[str], Sequence[str]]) -> list[TokenSpan]:
    """Returns the tokens of a text with their spans, in order.

    Spans leave out white space and control characters around a token. Two tokens may share a character only where the
    tokenizer splits what it wrote for one, such as `&amp;`. Tokens of the rare words that sacremoses rewrites
    (`DOTMULTI`) have the span of the whole word.

    Args:
        text: text, in which typographic punctuation has been replaced already if it is to be.
        split: returns the symbols of a Moses token.
    """
    spans: list[TokenSpan] = []
    tokens_by_word = WordMap[tuple[str, ...]](lambda tokens: (tuple(tokens),)).items(text)
    number = 0
    for places, tokens in zip(_places_of_words(text), tokens_by_word, strict=True):
        for token, units in zip(tokens, _units_of_tokens(text, places, tokens), strict=True):
            spans += _spans_of_symbols(split(token), units, number)
            number += 1
    return spans


def _places_of_words(text: str) -> Iterator[list[int]]:
    """Yields the indices of each word's characters in the text."""
    place = 0
    for word in words_of(text):
        places = []
        for character in word.replace(LINKING_SPACE, ""):
            # White space and control characters between and in words are dropped, and nothing else.
            place = text.index(character, place)
            places.append(place)
            place += 1
        yield places


def _units_of_tokens(text: str, places: Sequence[int], tokens: Sequence[str]) -> list[list[Span]]:
    """Returns the span in the text of each character of each token of a word, as the token writes it."""
    units = [list(_units(token)) for token in tokens]
    if "".join(character for of_token in units for _, character in of_token) != "".join(text[at] for at in places):
        whole = (places[0], places[-1] + 1)
        return [[whole] * len(token) for token in tokens]
    rest = iter(places)
    return [[span for written, _ in of_token for span in _spans(next(rest), len(written))] for of_token in units]


def _units(token: str) -> Iterator[tuple[str, str]]:
    """Yields what a token writes for each character of the text, and the character."""
    if token == _JOINT:
        yield token, "-"
    else:
        yield from ((unit, _ENTITIES.get(unit, unit)) for unit in _UNITS.findall(token))


def _spans(place: int, count: int) -> list[Span]:
    return [(place, place + 1)] * count


def _spans_of_symbols(symbols: Sequence[str], units: Sequence[Span], word: int) -> Iterator[TokenSpan]:
    position = 0
    for symbol in symbols:
        # Only the last symbol of a token says that it is the last.
        of_symbol = units[position : position + len(symbol)]
        yield TokenSpan(symbol, of_symbol[0][0], of_symbol[-1][1], word)
        position += len(symbol)
