"""Sets of characters by which texts are divided into tokens, for a tokenizer in another language.

sacremoses has its own, and Python's white space is not that of other languages either.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sacremoses import MosesDetokenizer, MosesTokenizer
from sacremoses.util import is_cjk

_FIRST_CJK = 0x1100
_NUMERIC_ONLY = " #NUMERIC_ONLY#"
"""What stands behind an abbreviation in sacremoses' list that is one before a number alone."""


def character_sets() -> dict[str, Any]:
    """Returns the sets by name, each as the inside of a class of characters in a regular expression of JavaScript.

    `prefixes` and `numericPrefixes` are lists of words: those whose full stop belongs to them, always or before a
    number.
    """
    listed = MosesTokenizer(lang="en").NONBREAKING_PREFIXES
    return {
        "space": _ranges(str.isspace),
        "alnum": _ranges_of(MosesTokenizer.IsAlnum),
        "alpha": _ranges_of(MosesTokenizer.IsAlpha),
        "number": _ranges_of(MosesTokenizer.IsN),
        "lower": _ranges_of(MosesTokenizer.IsLower),
        "currency": _ranges_of({sign for sign in MosesDetokenizer.IsSc if not sign.isalpha() and not sign.isascii()}),
        "letters": _ranges_of(MosesDetokenizer.IsAlpha),
        "cjk": _ranges(is_cjk, _FIRST_CJK),
        "prefixes": [word for word in listed if not word.endswith(_NUMERIC_ONLY)],
        "numericPrefixes": [word.removesuffix(_NUMERIC_ONLY) for word in listed if word.endswith(_NUMERIC_ONLY)],
    }


def _ranges_of(characters: Iterable[str]) -> str:
    return _ranges(frozenset(characters).__contains__)


def _ranges(belongs: Callable[[str], bool], first: int = 0) -> str:
    return "".join(f"\\u{{{start:x}}}-\\u{{{end:x}}}" for start, end in _runs(belongs, first))


def _runs(belongs: Callable[[str], bool], first: int) -> Iterator[tuple[int, int]]:
    start = None
    for number in range(first, sys.maxunicode + 1):
        if belongs(chr(number)):
            start = number if start is None else start
        elif start is not None:
            yield start, number - 1
            start = None
    if start is not None:
        yield start, sys.maxunicode
