"""What ends a generation from outside: the clock, and whoever asked for it."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Literal

Reason = Literal["time", "cancelled"]


class Interrupted(Exception):  # noqa: N818 -- not an error: what was asked for
    """A limit was reached while a prompt was being read.

    Attributes:
        reason: which.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Limits:
    """A time that begins now, and a flag that another thread may set.

    Args:
        max_time: seconds; None for no limit.
        cancel: set by whoever wants the generation to end.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        max_time: float | None = None,
        cancel: threading.Event | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._end = None if max_time is None else clock() + max_time
        self._cancels = [threading.Event(), *([] if cancel is None else [cancel])]

    def cancel(self) -> None:
        """Ends the generation; may be called from any thread."""
        self._cancels[0].set()

    def reached(self) -> Reason | None:
        """The limit that has been reached, if one has."""
        if any(cancel.is_set() for cancel in self._cancels):
            return "cancelled"
        return "time" if self._end is not None and self._clock() >= self._end else None

    def check(self) -> None:
        """Raises `Interrupted` if a limit has been reached."""
        if reason := self.reached():
            raise Interrupted(reason)
