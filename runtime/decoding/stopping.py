"""The text of a continuation while it grows, and its end at a stop string or where the caller's functions say."""

import copy
from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np

from biogpt_onnx.runtime.decoding.config import CustomStop
from biogpt_onnx.runtime.decoding.plain_values import plain_number, shown
from biogpt_onnx.runtime.errors import ConfigError


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

    A stop string may begin in the prompt, but must be completed by the continuation, which is then empty.

    Args:
        decoder: turns the tokens into text.
        stop_strings: strings before which the text ends.
        before: text of the prompt, or its end.
    """

    def __init__(self, decoder: TextDecoder, stop_strings: Sequence[str] = (), before: str = "") -> None:
        self._decoder = decoder
        self._stop_strings = stop_strings
        self._longest = max(map(len, stop_strings), default=0)
        # The certain text, behind as much of the prompt as a stop string may begin with.
        self._certain = before[max(0, len(before) - self._longest + 1) :] if stop_strings else ""
        self._start = self._taken = len(self._certain)
        self._is_final = False

    def push(self, token_id: int) -> bool:
        """Adds a token; returns True if its text completes a stop string, after which no more may come."""
        known = len(self._certain)
        self._certain += self._decoder.push(token_id)
        if not self._stop_strings:
            return False
        text = self._whole()
        # A stop string may begin in older text, but not end there, where it would have been found before.
        places = (text.find(stop, max(0, known - len(stop) + 1)) for stop in self._stop_strings)
        found = [at for at in places if at >= 0]
        if found:
            self._certain = text[: max(self._start, min(found))]
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
        self._certain = self._whole()
        self._is_final = True
        return self.take()

    @property
    def text(self) -> str:
        """Text so far, as it is if no more tokens come."""
        return self._whole()[self._start :]

    def _whole(self) -> str:
        return self._certain if self._is_final else self._certain + self._decoder.peek()

    def _begun_stop_string(self) -> int:
        # The number of characters at the end that may turn out to begin a stop string.
        for length in range(min(self._longest - 1, len(self._certain)), 0, -1):
            if any(stop.startswith(self._certain[-length:]) for stop in self._stop_strings):
                return length
        return 0


class CallersEnd:
    """An end of a sequence at a stop string, or where one of the caller's functions returns True.

    Args:
        text: text of the continuation, which has no tokens yet.
        functions: the caller's functions, see `CustomStop`.
        prompt_ids: token ids of the prompt.
    """

    def __init__(self, text: ContinuationText, functions: Sequence[CustomStop], prompt_ids: Sequence[int]) -> None:
        self._text = text
        self._functions = functions
        self._ids = list(prompt_ids)

    def push(self, token_id: int) -> bool:
        """Adds a token; returns True if the sequence must stop.

        Raises:
            ConfigError: a function returned something other than True or False.
        """
        is_stopped = self._text.push(token_id)
        if not self._functions:
            return is_stopped
        self._ids.append(token_id)
        return is_stopped or any(self._asks_to_stop(position) for position in range(len(self._functions)))

    def branch(self) -> Self:
        """Returns an independent copy, which has read the same tokens."""
        other = copy.copy(self)
        other._text = self._text.branch()  # noqa: SLF001 -- of this class
        other._ids = self._ids.copy()  # noqa: SLF001 -- of this class
        return other

    def _asks_to_stop(self, position: int) -> bool:
        function = self._functions[position]
        result = plain_number(function(np.array(self._ids, dtype=np.int64), self._text.text))
        if not isinstance(result, bool):
            name = getattr(function, "__name__", type(function).__name__)
            raise ConfigError(
                f"stopping_criteria[{position}], {name}, returned {shown(result)}: return True to end the sequence, "
                "else False"
            )
        return result
