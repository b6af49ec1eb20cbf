"""Conversion of a text word by word, with a memo of each word's result."""

from collections.abc import Callable
from typing import Generic, TypeVar

from biogpt_onnx.runtime.tokenizer.memo import Memo
from biogpt_onnx.runtime.tokenizer.moses import OTHER, follower_of, tokens_of, words_of

Item = TypeVar("Item")


class WordMap(Generic[Item]):
    """A map over the words of a text, which applies a function to the Moses tokens of each.

    Args:
        convert: returns the items, for example ids, of the Moses tokens of one word.
    """

    def __init__(self, convert: Callable[[list[str]], tuple[Item, ...]]) -> None:
        self._convert = convert
        # For words inside a text. The key of a word that ends in a full stop also holds its follower.
        self._memo: Memo[Item] = Memo()

    def items(self, text: str) -> list[Item]:
        """Returns the items of all words, in order."""
        words = words_of(text)
        if len(words) < 2:  # noqa: PLR2004 -- a single word is first and last at once
            return [item for word in words for item in self._convert(tokens_of(word, first=True, follower=None))]
        found = list(self._convert(tokens_of(words[0], first=True, follower=follower_of(words[1]))))
        remembered = self._memo.get
        for position in range(1, len(words) - 1):
            items = remembered(words[position])
            found += items if items is not None else self._look_up(words[position], words[position + 1])
        found += self._convert(tokens_of(words[-1], follower=None))
        return found

    def _look_up(self, word: str, next_word: str) -> tuple[Item, ...]:
        follower = follower_of(next_word) if word[-1] == "." else OTHER
        # No word holds a space, so the two kinds of key cannot be confused.
        key = f"{word} {follower}" if word[-1] == "." else word
        items = self._memo.get(key)
        if items is None:
            items = self._convert(tokens_of(word, follower=follower))
            self._memo.add(key, items)
        return items
