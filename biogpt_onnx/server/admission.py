"""What is let in: the sequences that run and wait are counted before anything is computed for them."""

from collections.abc import Iterator
from contextlib import contextmanager

from biogpt_onnx.server.http.errors import ApiError

RETRY_SECONDS = 2
"""Seconds after which a client that was refused may try again."""


class Admission:
    """The number of sequences that run and wait, and its bound. Used in the event loop's thread alone.

    Attributes:
        used: number of sequences that were let in and have not ended.
        is_draining: True once the server ends: nothing is let in any more.

    Args:
        capacity: most sequences at a time.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.used = 0
        self.is_draining = False

    @contextmanager
    def admit(self, count: int) -> Iterator[None]:
        """Counts the sequences of a request while the block runs.

        Args:
            count: number of its sequences.

        Raises:
            ApiError: there is no room for them now, or the server ends.
        """
        self.check_open()
        if self.used + count > self._capacity:
            raise ApiError(
                429,
                f"the queue is full: {self.used} of {self._capacity} places are taken and {count} are needed; try "
                f"again in {RETRY_SECONDS} seconds",
                code="queue_full",
                retry_after=RETRY_SECONDS,
            )
        self.used += count
        try:
            yield
        finally:
            self.used -= count

    def check_open(self) -> None:
        """Refuses work once the server ends.

        Raises:
            ApiError: the server ends.
        """
        if self.is_draining:
            raise ApiError(
                503, "the server is shutting down: try again later", code="draining", retry_after=RETRY_SECONDS
            )
