"""Checks of memory before it is taken: an error that says what to do, instead of a process that the system kills."""

from collections.abc import Callable, Sequence

from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import MemoryLimitError
from biogpt_onnx.runtime.memory.formula import MIB, cache_bytes
from biogpt_onnx.runtime.memory.room import Room, mebibytes, read_room

OVERRIDE = "load with check_memory=False (--no-memory-check) to try nevertheless"
"""End of the errors, which names the way past the check."""

_LEAST_CHECKED = 4 * MIB
"""Memory below which no question is asked: reading the limits takes a fraction of a millisecond."""

ReadRoom = Callable[[], Room | None]


def refuse_excess(needed: int, what: str, remedy: str, read: ReadRoom = read_room) -> None:
    """Raises an error if memory is not there.

    Args:
        needed: bytes that will be taken beyond what this process has.
        what: what needs them, such as "a cache for 900 tokens".
        remedy: what to do about it, but for the override.
        read: returns the room that there is.

    Raises:
        MemoryLimitError: fewer bytes are left, those counted that can be swapped out.
    """
    room = read()
    if room is not None and needed > room.with_swap:
        raise MemoryLimitError(
            f"{what} needs about {mebibytes(needed)} more memory, and {mebibytes(room.with_swap)} are left of "
            f"{room.bound}: {remedy}, or {OVERRIDE}"
        )


class CacheGuard:
    """The check of a model's key-value caches, which grow as tokens are read and generated.

    Args:
        manifest: manifest of the bundle.
        read: returns the room that there is.
    """

    def __init__(self, manifest: Manifest, read: ReadRoom = read_room) -> None:
        self._manifest, self._read = manifest, read
        self._unchecked = 0

    def check_cache(self, tokens: Sequence[int]) -> None:
        """Checks the memory of a cache before its first token is read.

        Args:
            tokens: tokens that each of its rows will hold for certain, [rows].

        Raises:
            MemoryLimitError: the memory is not there.
        """
        needed = cache_bytes(self._manifest, len(tokens), sum(tokens) // max(1, len(tokens)))
        if needed >= _LEAST_CHECKED:
            rows = f"{len(tokens)} rows of together " if len(tokens) > 1 else ""
            remedy = "shorten the prompt, lower max_new_tokens, give fewer prompts at a time, or give more memory"
            refuse_excess(needed, f"a cache for {rows}{sum(tokens):,} tokens", remedy, self._read)

    def before_pass(self, new_bytes: int) -> None:
        """Checks the memory that a pass takes, together with passes before it that took too little to be checked.

        Args:
            new_bytes: bytes of the caches that the pass is the first to write to.

        Raises:
            MemoryLimitError: the memory is not there.
        """
        self._unchecked += new_bytes
        if self._unchecked < _LEAST_CHECKED:
            return
        self._unchecked = 0
        # As much again, because the next check comes when that is taken.
        refuse_excess(
            new_bytes + _LEAST_CHECKED,
            "the key-value cache",
            "shorten the prompt, lower max_new_tokens or max_positions, continue fewer sequences at a time, or give "
            "more memory",
            self._read,
        )
