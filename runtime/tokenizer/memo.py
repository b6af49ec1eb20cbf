"""A memo of bounded size, so that the tokenizer's memory stays small for any text."""

from typing import Generic, TypeVar

Value = TypeVar("Value")

# So many long words take about 20 MB; the words of a few hundred abstracts fill a quarter of the memo.
_MAX_ENTRIES = 65_536
_MAX_KEY_CHARACTERS = 64


class Memo(Generic[Value]):
    """A memo of values by string, with at most `_MAX_ENTRIES` of them, and none for a very long key."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[Value, ...]] = {}
        self.get = self._values.get

    def add(self, key: str, value: tuple[Value, ...]) -> None:
        """Remembers `value`; a full memo is emptied first, after which frequent words soon return at little cost."""
        if len(key) > _MAX_KEY_CHARACTERS:
            return
        if len(self._values) >= _MAX_ENTRIES:
            self._values.clear()
        self._values[key] = value
