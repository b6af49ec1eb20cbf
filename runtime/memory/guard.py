"""Checks of memory before it is taken: an error that says what to do, instead of a process that the system kills."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import MemoryLimitError
from biogpt_onnx.runtime.memory.formula import CHUNK_TOKENS, MIB, cache_bytes, scratch_bytes
from biogpt_onnx.runtime.system.room import Room, mebibytes, read_room

OVERRIDE = "load with check_memory=False (--no-memory-check) to try nevertheless"
"""End of the errors, which names the way past the check."""

_LEAST_CHECKED = 4 * MIB
"""Memory below which no question is asked: reading the limits takes a fraction of a millisecond."""

ReadRoom = Callable[[], Room | None]

_give_back: ContextVar[Callable[[], object]] = ContextVar("give_back", default=lambda: None)


@contextmanager
def giving_back(function: Callable[[], object]) -> Iterator[None]:
    """Has a function of this thread give memory back before it is said, in the `with` block, that there is none.

    Args:
        function: gives back memory that is held and not needed, such as that of a cache's rows that have ended.
    """
    token = _give_back.set(function)
    try:
        yield
    finally:
        _give_back.reset(token)


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
        # What an earlier call left behind may be waiting for the collector.
        gc.collect()
        _give_back.get()()
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
        self._scratch = 0

    def check_cache(self, tokens: Sequence[int]) -> None:
        """Checks the memory of a cache before its first token is read.

        Args:
            tokens: tokens that each of its rows will hold for certain, [rows].

        Raises:
            MemoryLimitError: the memory is not there.
        """
        longest = max(tokens, default=0)
        needed = cache_bytes(self._manifest, len(tokens), sum(tokens) // max(1, len(tokens)))
        needed += self._new_scratch(min(longest, CHUNK_TOKENS), longest)
        if needed >= _LEAST_CHECKED:
            rows = f"{len(tokens)} rows of together " if len(tokens) > 1 else ""
            remedy = "shorten the prompt, lower max_new_tokens, give fewer prompts at a time, or give more memory"
            refuse_excess(needed, f"a cache for {rows}{sum(tokens):,} tokens", remedy, self._read)

    def before_pass(self, new_bytes: int, tokens: int, positions: int) -> None:
        """Checks the memory that a pass takes, together with passes before it that took too little to be checked.

        Args:
            new_bytes: bytes of the caches that the pass is the first to write to.
            tokens: tokens that the pass reads, of all rows.
            positions: tokens of the longest row, those before the pass included.

        Raises:
            MemoryLimitError: the memory is not there.
        """
        scratch = self._new_scratch(tokens, positions)
        self._unchecked += new_bytes
        if self._unchecked + scratch < _LEAST_CHECKED:
            return
        # As much again as is not checked, because the next check comes when that is taken; after an error, at once. And
        # once more for what nobody counts: in a control group of 512 MiB nothing was left without.
        refuse_excess(
            new_bytes + scratch + 2 * _LEAST_CHECKED,
            "the key-value cache",
            "shorten the prompt, lower max_new_tokens or max_positions, continue fewer sequences at a time, or give "
            "more memory",
            self._read,
        )
        self._unchecked = 0
        self._scratch += scratch

    def _new_scratch(self, tokens: int, positions: int) -> int:
        """Returns the bytes that a pass needs for activations beyond those of passes before it."""
        return max(0, scratch_bytes(self._manifest, tokens, positions) - self._scratch)
