"""The detokenizer: Moses tokens back to text, piece by piece; text that has been returned is final.

The rules are those of the Moses detokenizer for English as sacremoses has them, turned from a pass over all tokens
into a reader that holds back only the text that the next characters may still change:

- A word joined to the next by ` @-@ ` becomes one word with it. The next word shows if it is joined.
- `&apos;` and other entities are characters. A few characters later it is known if `&a` begins one.
- The space before a word depends on the whole word if that is all brackets, all punctuation or all quotes, else on its
  first characters and on the words before. A word that begins with a letter is returned as it comes.
"""

import re
from collections.abc import Callable
from functools import cache

_PIECES = re.compile(r"\s+|\S+")
JOINT = "@-@"
"""The token that Moses writes for a hyphen between two words."""

_ENTITIES = {
    "&bar;": "|",
    "&#124;": "|",
    "&lt;": "<",
    "&gt;": ">",
    "&bra;": "[",
    "&ket;": "]",
    "&quot;": '"',
    "&apos;": "'",
    "&#91;": "[",
    "&#93;": "]",
    "&amp;": "&",
}
# One pass equals sacremoses' eleven, which replace `&amp;` last, and no other replacement is part of an entity.
_ENTITY = re.compile("|".join(map(re.escape, _ENTITIES)))
_ENTITY_BEGINNINGS = frozenset(entity[:end] for entity in _ENTITIES for end in range(1, len(entity)))

_CLOSING = frozenset(",.?!:;\\%}])")
_QUOTES = frozenset("'\"„“`")  # without ”, as in sacremoses
_LOW_QUOTES = frozenset("„“")
_OPENING = frozenset("$([{¿¡")  # in addition to the currency signs outside ASCII

# The first CJK character in every version of sacremoses; the versions differ in the ends of the blocks.
_FIRST_CJK = "\u1100"


def unescaped(text: str) -> str:
    """Returns a text with Moses' entities, such as `&apos;`, replaced by what they stand for."""
    return _ENTITY.sub(lambda found: _ENTITIES[found.group()], text)


class Detokenizer:
    """A reader of symbols' text, cut anywhere, with white space between words; it returns the text that is certain."""

    def __init__(self) -> None:
        self._writer = _WordWriter()
        self._in_word = False  # characters have come since the last white space, and the writer has them
        self._maybe_joint = ""  # a beginning of ` @-@ `
        self._joined = False  # a joint has just come: the next characters belong to the same word, even a joint
        self._maybe_entity = ""

    def push(self, text: str) -> str:
        """Reads more text; returns the part of the result that has become certain."""
        return "".join(
            self._white_space() if piece.isspace() else self._characters(piece) for piece in _PIECES.findall(text)
        )

    def finish(self) -> str:
        """Ends the text; returns the rest of the result."""
        return self._white_space() + self._close_word()

    def _characters(self, piece: str) -> str:
        if self._in_word:
            return self._extend_word(piece)
        begun = self._maybe_joint + piece
        if not self._joined and JOINT.startswith(begun):
            self._maybe_joint = begun
            return ""
        self._maybe_joint = ""
        self._in_word = True
        return ("" if self._joined else self._close_word()) + self._extend_word(begun)

    def _white_space(self) -> str:
        if self._maybe_joint == JOINT:
            self._maybe_joint = ""
            self._joined = True
            return self._extend_word("-")
        text = ""
        if self._maybe_joint:
            text = self._close_word() + self._extend_word(self._maybe_joint)
            self._maybe_joint = ""
        if self._in_word:
            self._in_word = self._joined = False
        return text

    def _extend_word(self, characters: str) -> str:
        characters = self._maybe_entity + characters
        self._maybe_entity = ""
        if "&" in characters:
            begun = characters[characters.rindex("&") :]
            if begun in _ENTITY_BEGINNINGS:
                self._maybe_entity = begun
                characters = characters.removesuffix(begun)
            characters = unescaped(characters)
        return self._writer.extend(characters)

    def _close_word(self) -> str:
        text = self._writer.extend(self._maybe_entity) + self._writer.close()
        self._maybe_entity = ""
        return text


class _WordWriter:
    """A writer of words, which decides on the space before each."""

    def __init__(self) -> None:
        self._space = ""  # the space before the next word, unless the word itself forbids it
        self._open_quotes: set[str] = set()
        self._last_of_previous = ""
        self._last = ""  # the last character of the word; empty while there is no word
        self._decided = False
        self._undecided: list[str] = []
        self._kind: Callable[[str], bool] | None = None  # tests for the special characters that make the word so far

    def extend(self, characters: str) -> str:
        if not characters:
            return ""
        if not self._last:
            self._kind = _kind(characters[0])
        self._last = characters[-1]
        if self._decided:
            return characters
        self._undecided.append(characters)
        if self._kind is not None and all(map(self._kind, characters)):
            return ""
        return self._decide()

    def close(self) -> str:
        """Ends the word, if there is one, and returns the rest of it."""
        if not self._last:
            return ""
        text = "" if self._decided else self._whole_word("".join(self._undecided))
        self._last_of_previous, self._last = self._last, ""
        self._undecided = []
        self._decided = False
        return text

    def _decide(self) -> str:
        """Returns the characters so far of a word that is not all of one kind, with the space before it."""
        word = "".join(self._undecided)
        self._undecided = []
        self._decided = True
        space = "" if self._leans_on_previous(word) else self._space
        self._space = " "
        return space + word

    def _leans_on_previous(self, word: str) -> bool:
        if not self._last_of_previous:
            return False
        if _is_cjk(word[0]):
            return _is_cjk(self._last_of_previous)
        return word[0] == "'" and _is_letter(word[1])  # 's, 't; a quote alone is all of one kind

    def _whole_word(self, word: str) -> str:
        if self._kind is _is_closing:
            self._space = " "
            return word
        if self._kind is _is_quote:
            return self._quote(word)
        text = self._space + word
        self._space = ""
        return text

    def _quote(self, word: str) -> str:
        name = '"' if _LOW_QUOTES.issuperset(word) else word
        if name in self._open_quotes:
            self._open_quotes.remove(name)
            self._space = " "
            return word
        if word == "'" and self._last_of_previous == "s":  # the Jones' house
            self._space = " "
            return word
        self._open_quotes.add(name)
        text = self._space + word
        self._space = ""
        return text


def _kind(first: str) -> Callable[[str], bool] | None:
    """Returns a test for the characters of which a word that begins with `first` must be made to be special."""
    return next((kind for kind in (_is_closing, _is_quote, _is_opening) if kind(first)), None)


def _is_closing(character: str) -> bool:
    return character in _CLOSING


def _is_quote(character: str) -> bool:
    return character in _QUOTES


def _is_opening(character: str) -> bool:
    if character.isascii() or character in _OPENING:
        return character in _OPENING
    # No letter is a currency sign, so that sacremoses' tables, slow to import, are needed for symbols alone.
    return not character.isalpha() and character in _currency_signs()


def _is_cjk(character: str) -> bool:
    return character >= _FIRST_CJK and _sacremoses_is_cjk(character)


def _is_letter(character: str) -> bool:
    return character.isalpha() if character.isascii() else character in _letters()


def _sacremoses_is_cjk(character: str) -> bool:
    from sacremoses.util import is_cjk  # noqa: PLC0415 -- slow to import

    return bool(is_cjk(character))


@cache
def _currency_signs() -> frozenset[str]:
    from sacremoses import MosesDetokenizer  # noqa: PLC0415 -- slow to import

    return frozenset(MosesDetokenizer.IsSc)


@cache
def _letters() -> frozenset[str]:
    from sacremoses import MosesDetokenizer  # noqa: PLC0415 -- slow to import

    return frozenset(MosesDetokenizer.IsAlpha)
