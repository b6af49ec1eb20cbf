"""Moses tokens of a text, as `sacremoses` gives them, but one word at a time.

sacremoses takes a millisecond for a sentence, far too long for a text of many. Its rules are substitutions on the
whole text, yet hardly any of them looks beyond the white space around a word, so that the tokens of a word can be
computed once and remembered. The argument follows, rule by rule in sacremoses' order; a word is a run of characters
between white space after the first two rules have been applied.

1. White space runs become one space. 2. Control characters vanish, which may leave several spaces in a row.
   `words_of` does both.
3. Every character that is neither alphanumeric nor one of . ' ` , - gets spaces around it: looks at one character.
   `words_of` does this at once for ASCII, so that words are simpler and more alike. The number of spaces changes, which
   only rule 7 could notice, where two words both have their apostrophe at the same space.
4. A hyphen between alphanumerics becomes ` @-@ `: no white space takes part.
5. A run of dots becomes a word of its own. `words_of` does this at once, because older versions need quadratic time
   for long runs. The rules before do not look at dots.
6. A comma is separated from a neighbour that is no digit, first on its left, then on its right. White space is such a
   neighbour, the start of the text is none: `,5` stays whole there. On the left a match ends in a comma and on the
   right it begins with one, so no match takes a space that the next word's match needs.
7. Apostrophes, by five rules on the characters on both sides. White space is a neighbour, start and end of the text are
   none. Only the first of the five can match with white space on the left and with white space on the right; so one
   match can take the space that the next word's needs, and only if the left word ends in an apostrophe and the right
   word begins with one. `words_of` links such words into one.
8. A full stop at the end of a token stays if the token is an abbreviation, or if the next token begins with a lowercase
   letter or, for some, a digit; also the end of the text counts. The next token is in the same word or begins the next
   one, and the rules before never change a first character, except for dots, which become `D`: like a dot, that is
   neither lowercase nor a digit.
9. `.'` at the end of the text is separated.
10. Runs of dots are restored and characters of XML escaped: looks at one token.

So a word's tokens depend on the word, on being first, on being last, and, if it ends in a full stop, on the first
character of the next. sacremoses is called with stand-ins for the neighbouring words, whose tokens are dropped.
"""

import re
import warnings
from functools import cache
from typing import Any, Protocol, cast

from biogpt_onnx.runtime.errors import PromptError

_SPACES = re.compile(r"\s+")
_CONTROL = re.compile("[\x00-\x1f]")
# A text without these needs neither of the first two rules nor linked words. White space is left out of the controls.
_IRREGULAR = re.compile("[\x00-\x08\x0e-\x1b]|'\\s+'")
_LINK = re.compile("(?<=') (?=')")
# Stands for the space between linked words; the text cannot hold it once control characters have vanished.
LINKING_SPACE = "\x01"
_DOTS = re.compile(r"\.{2,}")
# ASCII without letters, digits, white space, . ' ` , and -.
_MARKS = re.compile(r"""[!"#$%&()*+/:;<=>?@\[\\\]^_{|}~\x7f]""")
# Single characters that are often left between marks, and are one token in every position.
_LONE = frozenset(",.-")
_ESCAPED = {"&": "&amp;", "|": "&#124;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "[": "&#91;", "]": "&#93;"}

# The marker that sacremoses puts in place of runs of dots while it works; in a text it is turned into dots, too.
_DOTS_MARKER = "DOTMULTI"
# Up to version 0.1 sacremoses takes quadratic time for long runs of either, which it gets only beside such a marker.
_LONG_RUN = re.compile(r"(?:DOT){1001}|\.{1001}")

# Stand-ins for the neighbouring words. Each must be one token and change nothing: no apostrophe, no full stop.
_BEFORE = "A"
LOWERCASE, DIGIT, OTHER = "a", "0", "A"

# The common words, whose tokens need no look-up of an abbreviation: then sacremoses need not even be imported, which
# takes longer than everything else. ASCII only, because sacremoses has its own table of other letters.
_COMMON = re.compile(r"(?P<core>[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*)(?P<commas>,*)(?P<stop>\.?)")


class _Moses(Protocol):
    def tokenize(self, text: str, *, aggressive_dash_splits: bool, escape: bool) -> list[str]: ...


def words_of(text: str) -> list[str]:
    """Returns the words of a text, whose tokens depend on other words only by the arguments of `tokens_of`."""
    if _IRREGULAR.search(text):
        text = _CONTROL.sub("", _SPACES.sub(" ", text))
        text = _LINK.sub(LINKING_SPACE, text)
    text = _MARKS.sub(r" \g<0> ", text)
    if _DOTS_MARKER in text:
        # Older versions read a marker beside dots differently, so that such words are left to sacremoses as they are.
        text = " ".join([word if _DOTS_MARKER in word else _separate_dots(word) for word in text.split()])
    else:
        text = _separate_dots(text)
    return text.split()


def _separate_dots(text: str) -> str:
    return _DOTS.sub(r" \g<0> ", text) if ".." in text else text


def follower_of(word: str) -> str:
    """Returns a word's first character or its stand-in, as the tokens of a word before it with a full stop need it."""
    first = word[0]
    if not first.isascii():
        return first  # sacremoses decides if it is lowercase
    if first.islower():
        return LOWERCASE
    return DIGIT if first.isdigit() else OTHER


def tokens_of(word: str, *, first: bool = False, follower: str | None = OTHER) -> list[str]:
    """Returns the Moses tokens of a word, escaped.

    Args:
        word: one of the words that `words_of` returns.
        first: True if the word begins the text.
        follower: first character of the next word, as `follower_of` returns it; None if the word ends the text.

    Raises:
        PromptError: the word is one that older versions of sacremoses need quadratic time for.
    """
    if len(word) == 1 and (word in _LONE or _MARKS.match(word)):
        return [_ESCAPED.get(word, word)]
    if len(word) > 1 and not word.strip("."):
        return [word]
    tokens = _common_tokens(word, follower)
    return tokens if tokens is not None else _tokens_in_position(word, first=first, follower=follower)


def warm_up() -> None:
    """Imports sacremoses, which takes some 0.3 s; may be called from a thread of its own."""
    _moses()


def _common_tokens(word: str, follower: str | None) -> list[str] | None:
    found = _COMMON.fullmatch(word)
    if found is None or _DOTS_MARKER in word:
        return None
    core, commas, stop = found.group("core", "commas", "stop")
    tokens = [*core.replace("-", " @-@ ").split(" "), *commas]
    if not stop:
        return tokens
    if commas:
        return [*tokens, stop]  # the full stop is a token of its own already
    last = tokens[-1]
    if follower == LOWERCASE or ("." in last and not last.replace(".", "").isdigit()):
        return [*tokens[:-1], last + stop]
    return None  # only sacremoses knows the abbreviations


def _tokens_in_position(word: str, *, first: bool, follower: str | None) -> list[str]:
    if _DOTS_MARKER in word and _LONG_RUN.search(word):
        raise PromptError(f"a word with {_DOTS_MARKER} repeats DOT or a full stop over 1,000 times; shorten it")
    before = "" if first else f"{_BEFORE} "
    after = "" if follower is None else f" {follower}"
    text = before + word.replace(LINKING_SPACE, " ") + after
    tokens = _moses().tokenize(text, aggressive_dash_splits=True, escape=True)
    return tokens[bool(before) : len(tokens) - bool(after)]


@cache
def _moses() -> _Moses:
    # sacremoses imports joblib, which warns where it could not start processes; none are started here.
    warnings.filterwarnings("ignore", ".*joblib will operate in serial mode", UserWarning)
    # Imported late: compiling its patterns takes longer than loading a small model.
    from sacremoses import MosesTokenizer  # noqa: PLC0415 -- slow to import

    lowercase = frozenset(MosesTokenizer.IsLower)
    letters = frozenset(MosesTokenizer.IsAlpha)

    class Moses(MosesTokenizer):  # type: ignore[misc]  # sacremoses ships no types
        """A tokenizer with sets of thousands of characters, built once instead of for each token with a full stop."""

        def islower(self, text: str) -> bool:
            return lowercase.issuperset(text)

        def isanyalpha(self, text: str) -> bool:
            return not letters.isdisjoint(text)

    moses: Any = Moses(lang="en")
    moses.NONBREAKING_PREFIXES = frozenset(moses.NONBREAKING_PREFIXES)
    return cast("_Moses", moses)
