"""Prefixes: beginnings of prompts that are read once and continued any number of times."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.host_scores import HostTokenScores
from biogpt_onnx.runtime.backends.protocol import Backend, CacheT, TokenScores
from biogpt_onnx.runtime.decoding.limits import Limits

_LEAST_TOKENS_READ = 2
"""Fewest tokens of a prefix, and after it: a single one is computed by another kernel, which rounds differently."""


class Prefix(Generic[CacheT]):
    """A beginning of prompts, kept as keys and values.

    A continuation is appended in the same memory, and removed when it ends. Until then, other continuations work on
    copies. The backend decides if a prefix is read when it is made or when it is first continued.

    Attributes:
        ids: token ids of the prefix.
    """

    def __init__(self, backend: Backend[CacheT], ids: Sequence[int]) -> None:
        """Takes the beginning, and reads it if the backend reads prefixes ahead.

        Args:
            backend: the backend that runs the model.
            ids: token ids, at least one.
        """
        self.ids = tuple(ids)
        self._backend = backend
        self._held: tuple[CacheT, npt.NDArray[np.float32]] | None = None
        self._being_read, self._in_use = threading.Lock(), threading.Lock()
        if backend.reads_prefixes_ahead:
            self._read()

    def __len__(self) -> int:
        """Returns the number of its tokens."""
        return len(self.ids)

    def is_of(self, backend: object) -> bool:
        """Returns True if this backend computed the prefix, which no other backend can continue."""
        return self._backend is backend

    def shared_with(self, ids: Sequence[int]) -> int:
        """Returns the number of tokens at the beginning of a prompt that are this prefix's and need not be read."""
        if tuple(ids) == self.ids:
            return len(ids)
        if len(self.ids) < _LEAST_TOKENS_READ:
            return 0
        pairs = enumerate(zip(ids, self.ids, strict=False))
        common = next((at for at, (one, other) in pairs if one != other), min(len(ids), len(self.ids)))
        return max(0, min(common, len(ids) - _LEAST_TOKENS_READ))

    def read_into(self, cache: CacheT, ids: Sequence[int], limits: Limits) -> TokenScores:
        """Reads a prompt into an empty cache of one row, copying the tokens that it shares with the prefix.

        Returns:
            The scores after the prompt's last token.

        Raises:
            Interrupted: a limit was reached.
        """
        return self.read_rest(cache, ids, self.copy_into(cache, ids), limits)

    def copy_into(self, cache: CacheT, ids: Sequence[int]) -> int:
        """Copies the tokens that a prompt shares with the prefix into an empty cache of one row; returns their number.

        A prompt that is the prefix itself is shared as a whole.
        """
        shared = self.shared_with(ids)
        cache.copy_from(self._read()[0], shared)
        return shared

    def read_rest(self, cache: CacheT, ids: Sequence[int], shared: int, limits: Limits) -> TokenScores:
        """Reads the tokens of a prompt that a cache of one row does not hold yet; returns the scores after the last.

        Args:
            cache: cache that holds at least the shared tokens.
            ids: token ids of the prompt.
            shared: number of tokens that `copy_into` returned.
            limits: limits that are checked before each pass.

        Raises:
            Interrupted: a limit was reached.
        """
        if shared < len(ids):
            return self._backend.read(ids, cache, limits)
        # A copy, because rules change logits in place.
        return HostTokenScores(self._read()[1].copy())

    @contextmanager
    def continued(self, ids: Sequence[int], capacity: int, limits: Limits) -> Iterator[tuple[CacheT, TokenScores]]:
        """Yields a cache that has read a prompt and has room for `capacity` tokens, and the scores after the prompt.

        Raises:
            Interrupted: a limit was reached.
        """
        shared, (held, _) = self.shared_with(ids), self._read()
        # A prompt that shares only a part would overwrite the prefix's own end.
        fits = shared == len(self.ids) and capacity <= held.capacity
        if not fits or not self._in_use.acquire(blocking=False):
            cache = self._backend.new_cache(1, capacity)
            yield cache, self.read_into(cache, ids, limits)
            return
        try:
            yield held, self.read_rest(held, ids, shared, limits)
        finally:
            held.truncate(len(self.ids))
            self._in_use.release()

    def _read(self) -> tuple[CacheT, npt.NDArray[np.float32]]:
        """Returns the cache that holds the prefix, and the logits after its last token, [1, vocab]."""
        with self._being_read:
            if self._held is None:
                cache = self._backend.new_cache(1, self._backend.prefix_capacity)
                self._held = cache, self._backend.read(self.ids, cache, Limits()).logits()
            return self._held
