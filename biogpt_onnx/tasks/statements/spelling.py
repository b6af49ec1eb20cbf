"""Spellings of a name: an annotation often spells it otherwise than the document."""

import unicodedata
from difflib import SequenceMatcher

_LEAST_ALIKE = 0.5
_GREEK = "GREEK "


def has_same_letters(name: str, other: str) -> bool:
    """Returns True if two spellings have the same letters and digits.

    Case, spaces, punctuation and accents do not count, and a Greek letter is the same as its name.
    """
    first, second = _letters(name), _letters(other)
    return first == second if first or second else name.split() == other.split()


def is_alike(name: str, other: str) -> bool:
    """Returns True if two spellings have at least half of their letters and digits in common, in order.

    So "b-carotene" is like "β-carotene", and "lithium" is not like "ed for we".
    """
    return SequenceMatcher(None, _letters(name), _letters(other), autojunk=False).ratio() >= _LEAST_ALIKE


def _letters(text: str) -> str:
    plain = (_spelled_out(character) for character in unicodedata.normalize("NFKD", text))
    return "".join(character for character in "".join(plain).casefold() if character.isalnum())


def _spelled_out(character: str) -> str:
    name = unicodedata.name(character, "")
    return name.split()[-1] if name.startswith(_GREEK) and character.isalpha() else character
