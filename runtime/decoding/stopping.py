"""The text of a continuation while it grows, and its end at a stop string."""

import copy
from collections.abc import Sequence
from typing import Protocol, Self


class TextDecoder(Protocol):
    """A decoder of tokens into text, one by one."""

    def push(self, token_id: int) -> str:
        """Adds a token; returns the text that has become certain by it."""
        ...

    def peek(self) -> str:
        """Returns the text that would follow if no more tokens came."""
        ...

    def branch(self) -> Self:
        """Returns an independent copy, which has read the same tokens."""
        ...


class ContinuationText:
    """The text of a continuation, cut before the first stop string.

    Args:
        decoder: turns the tokens into text.
        stop_strings: strings before which the text ends.
    """

    def __init__(self, decoder: TextDecoder, stop_strings: Sequence[str] = ()) -> None:
        self._decoder = decoder
        self._stop_strings = stop_strings
        self._longest = max(map(len, stop_strings), default=0)
        self._certain = ""
        self._is_final = False
        self._taken = 0

    def push(self, token_id: int) -> bool:
        """Adds a token; returns True if its text completes a stop string, after which no more may come."""
        # A stop string may begin in older text, but not end there, where it would have been found before.
        searched = max(0, len(self._certain) - self._longest + 1)
        self._certain += self._decoder.push(token_id)
        if not self._stop_strings:
            return False
        text = self.text
        found = [at for at in (text.find(stop, searched) for stop in self._stop_strings) if at >= 0]
        if found:
            self._certain = text[: min(found)]
            self._is_final = True
        return self._is_final

    def branch(self) -> Self:
        """Returns an independent copy, which has the same text so far."""
        other = copy.copy(self)
        other._decoder = self._decoder.branch()  # noqa: SLF001 -- of this class
        return other

    def take(self) -> str:
        """Returns the text since the last call that no later token can change."""
        end = len(self._certain)
        if not self._is_final:
            end -= self._begun_stop_string()
        piece = self._certain[self._taken : end]
        self._taken += len(piece)
        return piece

    def finish(self) -> str:
        """Returns the rest of the text; no more tokens may come."""
        self._certain = self.text
        self._is_final = True
        return self.take()

    @property
    def text(self) -> str:
        """Text so far, as it is if no more tokens come."""
        return self._certain if self._is_final else self._certain + self._decoder.peek()

    def _begun_stop_string(self) -> int:
        # The number of characters at the end that may turn out to begin a stop string.
        for length in range(min(self._longest - 1, len(self._certain)), 0, -1):
            if any(stop.startswith(self._certain[-length:]) for stop in self._stop_strings):
                return length
        return 0
