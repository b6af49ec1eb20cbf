"""A dictionary that forgets: what the tokenizer remembers stays small whatever it is given."""

from typing import Generic, TypeVar

Value = TypeVar("Value")

# About 20 MB when full of long words; the words of a few hundred abstracts fill a quarter of it.
_MAX_ENTRIES = 65_536
_MAX_KEY_CHARACTERS = 64


class Memo(Generic[Value]):
    """Remembers values by string, at most `_MAX_ENTRIES` of them, none for a key that is very long."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[Value, ...]] = {}
        self.get = self._values.get

    def add(self, key: str, value: tuple[Value, ...]) -> None:
        """Remembers `value`; when the memo is full it starts afresh, which frequent words survive at little cost."""
        if len(key) > _MAX_KEY_CHARACTERS:
            return
        if len(self._values) >= _MAX_ENTRIES:
            self._values.clear()
        self._values[key] = value
