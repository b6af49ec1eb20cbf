"""The text of a sequence while it grows, and where it must stop."""

from collections.abc import Sequence
from typing import Protocol


class TextDecoder(Protocol):
    """Turns tokens into text, one by one."""

    def push(self, token_id: int) -> str:
        """The text that is now certain and was not before."""
        ...

    def peek(self) -> str:
        """The text that would follow if no more tokens came."""
        ...


class ContinuationText:
    """A continuation's text, cut before the first stop string.

    Attributes:
        stopped: whether a stop string has appeared.
    """

    def __init__(self, decoder: TextDecoder, stop_strings: Sequence[str] = ()) -> None:
        self.stopped = False
        self._decoder = decoder
        self._stop_strings = stop_strings
        self._longest = max(map(len, stop_strings), default=0)
        self._certain = ""
        self._taken = 0

    def push(self, token_id: int) -> bool:
        """Adds a token; True when its text completes a stop string."""
        # A stop string may begin in older text, but not end there: it would have been found.
        searched = max(0, len(self._certain) - self._longest + 1)
        self._certain += self._decoder.push(token_id)
        if self._stop_strings:
            text = self._certain + self._decoder.peek()
            found = [at for at in (text.find(stop, searched) for stop in self._stop_strings) if at >= 0]
            if found:
                self.stopped = True
                self._certain = text[: min(found)]
        return self.stopped

    def take(self) -> str:
        """The text since the last call that nothing to come can change."""
        end = len(self._certain) if self.stopped else len(self._certain) - self._begun_stop_string()
        piece = self._certain[self._taken : end]
        self._taken += len(piece)
        return piece

    def finish(self) -> str:
        """The rest of the text, once no more tokens come."""
        if not self.stopped:
            self._certain += self._decoder.peek()
        piece = self._certain[self._taken :]
        self._taken += len(piece)
        return piece

    @property
    def text(self) -> str:
        """All of the text so far."""
        return self._certain if self.stopped else self._certain + self._decoder.peek()

    def _begun_stop_string(self) -> int:
        # Characters at the end that may turn out to begin a stop string.
        for length in range(min(self._longest - 1, len(self._certain)), 0, -1):
            if any(stop.startswith(self._certain[-length:]) for stop in self._stop_strings):
                return length
        return 0
