"""Limits that end a generation from outside: a time, and the caller's cancellation."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Literal

from biogpt_onnx.runtime.decoding.plain_values import shown
from biogpt_onnx.runtime.errors import ConfigError

Reason = Literal["time", "cancelled"]


class Interrupted(Exception):  # noqa: N818 -- not an error: the caller set the limit
    """Signal that a limit was reached while a prompt was being read, or between steps.

    Attributes:
        reason: the limit that was reached.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Limits:
    """The limits of a generation: a time that begins now, and a flag that another thread may set.

    Args:
        max_time: seconds until the limit is reached; None for no limit.
        cancel: event that ends the generation when it is set.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        max_time: float | None = None,
        cancel: threading.Event | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Begins to count the time.

        Raises:
            ConfigError: `cancel` is no event.
        """
        if cancel is not None and (isinstance(cancel, type) or not callable(getattr(cancel, "is_set", None))):
            raise ConfigError(f"cancel is {shown(cancel)}: give a threading.Event")
        self._clock = clock
        self._end = None if max_time is None else clock() + max_time
        self._cancels = [threading.Event(), *([] if cancel is None else [cancel])]

    def cancel(self) -> None:
        """Ends the generation; may be called from any thread."""
        self._cancels[0].set()

    def reached(self) -> Reason | None:
        """Returns the limit that has been reached; None if there is none."""
        if any(cancel.is_set() for cancel in self._cancels):
            return "cancelled"
        return "time" if self._end is not None and self._clock() >= self._end else None

    def check(self) -> None:
        """Raises `Interrupted` if a limit has been reached."""
        if reason := self.reached():
            raise Interrupted(reason)
