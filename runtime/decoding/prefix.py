"""Prefixes: beginnings of prompts that are read once and continued any number of times."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.chunks import last_cut
from biogpt_onnx.runtime.backends.host_scores import HostTokenScores
from biogpt_onnx.runtime.backends.protocol import Backend, CacheT, TokenScores
from biogpt_onnx.runtime.decoding.limits import Limits

_LEAST_TOKENS_READ = 2
"""Fewest tokens that are read after those that are shared: a single one is computed by another kernel, which rounds
differently."""


class Prefix(Generic[CacheT]):
    """A beginning of prompts, kept as keys and values.

    Its last tokens are read again with what follows, because a sequence may be cut in certain places alone; see
    `next_chunk`. A continuation is appended in the same memory, and removed when it ends. Until then, other
    continuations work on copies. The backend decides if a prefix is read when it is made or when it is first continued.

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
        """Returns the number of tokens at the beginning of a prompt that are this prefix's and need not be read.

        At least two tokens of the prompt, and the last two of the prefix, are not among them.
        """
        pairs = enumerate(zip(ids, self.ids, strict=False))
        shorter = min(len(ids), len(self.ids))
        common = next((at for at, (one, other) in pairs if one != other), shorter)
        return last_cut(max(0, min(common, shorter - _LEAST_TOKENS_READ)))

    def read_into(self, cache: CacheT, ids: Sequence[int], limits: Limits) -> TokenScores:
        """Reads a prompt into an empty cache of one row, copying the tokens that it shares with the prefix.

        Returns:
            The scores after the prompt's last token.

        Raises:
            Interrupted: a limit was reached.
        """
        self.copy_into(cache, ids)
        return self._backend.read(ids, cache, limits)

    def copy_into(self, cache: CacheT, ids: Sequence[int]) -> int:
        """Copies the tokens that a prompt shares with the prefix into an empty cache of one row; returns their number.

        At least two tokens of the prompt are left to be read.
        """
        shared = self.shared_with(ids)
        cache.copy_from(self._read()[0], shared)
        return shared

    @contextmanager
    def continued(self, ids: Sequence[int], capacity: int, limits: Limits) -> Iterator[tuple[CacheT, TokenScores]]:
        """Yields a cache that has read a prompt and has room for `capacity` tokens, and the scores after the prompt.

        Raises:
            Interrupted: a limit was reached.
        """
        with self._cache_for(ids, capacity) as cache:
            if cache.lengths[0] == len(ids):
                # A copy, because rules change logits in place.
                yield cache, HostTokenScores(self._read()[1].copy())
            else:
                yield cache, self._backend.read(ids, cache, limits)

    @contextmanager
    def begun(self, ids: Sequence[int], capacity: int) -> Iterator[CacheT]:
        """Yields a cache that holds the tokens that a prompt shares with the prefix, and has room for `capacity`.

        At least two tokens of the prompt are left to be read, together with what follows them.
        """
        shared = self.shared_with(ids)
        with self._cache_for(ids, capacity) as cache:
            cache.truncate(shared)
            try:
                yield cache
            finally:
                cache.truncate(shared)

    @contextmanager
    def _cache_for(self, ids: Sequence[int], capacity: int) -> Iterator[CacheT]:
        """Yields a cache that holds the shared tokens of a prompt, or all if the prompt is the prefix and nothing else.

        It is the prefix's own if that is free and large enough, of which no token is overwritten that others copy.
        """
        shared, (held, _) = self.shared_with(ids), self._read()
        fits = shared == self.shared_with(self.ids) and capacity <= held.capacity
        if not fits or not self._in_use.acquire(blocking=False):
            cache = self._backend.new_cache(1, capacity)
            self.copy_into(cache, ids)
            yield cache
            return
        # The prefix itself is continued behind its last token, and all others overwrite the tokens that are read again.
        kept = len(self.ids) if tuple(ids) == self.ids else shared
        try:
            held.truncate(kept if held.lengths[0] == kept else shared)
            yield held
        finally:
            held.truncate(kept)
            self._in_use.release()

    def _read(self) -> tuple[CacheT, npt.NDArray[np.float32]]:
        """Returns the cache that holds the prefix, and the logits after its last token, [1, vocab]."""
        with self._being_read:
            if self._held is None:
                cache = self._backend.new_cache(1, self._backend.prefix_capacity)
                self._held = cache, self._backend.read(self.ids, cache, Limits()).logits()
            return self._held
