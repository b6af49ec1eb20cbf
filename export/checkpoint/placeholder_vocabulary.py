"""Made-up vocabulary of any size: ASCII text tokenizes with it, and its other symbols are unused."""

from collections.abc import Iterable

from biogpt_onnx.runtime.tokenizer.vocabulary import SPECIAL_TOKENS

_WORD_END = "</w>"
_ASCII = [chr(code) for code in range(0x21, 0x7F)]
# Moses' escapes of characters, and its token for a hyphen between two letters.
_MOSES_TOKENS = ("&amp;", "&apos;", "&quot;", "&lt;", "&gt;", "&#124;", "&#91;", "&#93;", "@-@")
_WORDS = (
    *("the", "of", "and", "in", "to", "with", "for", "was", "were", "is", "are", "that", "by", "as", "on", "or"),
    *("cell", "cells", "patients", "disease", "treatment", "protein", "gene", "study", "clinical", "insulin"),
)

SMALLEST_SIZE = len(SPECIAL_TOKENS) + 2 * len(_ASCII)
"""Fewest symbols: special tokens, and each printable ASCII character inside a word and at a word's end."""


def placeholder_vocabulary(size: int) -> tuple[tuple[str, ...], bytes]:
    """Makes the symbols, in the order of the ids, and a `merges.txt` that yields only such symbols.

    No word of printable ASCII holds an unknown symbol. Where there is room, the escapes that Moses writes and a few
    words are one symbol each; the remaining symbols are `madeupwordNNNN`.

    Raises:
        ValueError: size is less than `SMALLEST_SIZE`.
    """
    if size < SMALLEST_SIZE:
        raise ValueError(f"a vocabulary of {size} symbols cannot hold ASCII; it takes {SMALLEST_SIZE}")
    symbols = dict.fromkeys([*SPECIAL_TOKENS, *_ASCII, *(character + _WORD_END for character in _ASCII)])
    merges: dict[tuple[str, str], None] = {}
    for left, right in _candidate_merges():
        if left + right not in symbols:
            if len(symbols) == size:
                break
            symbols[left + right] = None
        merges[left, right] = None
    symbols |= dict.fromkeys(f"madeupword{number:04d}{_WORD_END}" for number in range(size - len(symbols)))
    # A merge's third field is its count in the training text; here it only shows the order.
    lines = [f"{left} {right} {len(merges) - rank}\n" for rank, (left, right) in enumerate(merges)]
    return tuple(symbols), "".join(lines).encode()


def _candidate_merges() -> Iterable[tuple[str, str]]:
    for token in _MOSES_TOKENS:
        yield from _left_to_right([*token])  # inside a word, as in `&apos;s`
        yield from _left_to_right([*token[:-1], token[-1] + _WORD_END])
    for word in _WORDS:
        yield from _left_to_right([*word[:-1], word[-1] + _WORD_END])


def _left_to_right(pieces: list[str]) -> Iterable[tuple[str, str]]:
    left = pieces[0]
    for right in pieces[1:]:
        yield left, right
        left += right
