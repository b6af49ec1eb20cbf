"""Prompts that are read once and continued any number of times."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.protocol import Cache, DecoderModel, DeviceModel
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefill import prefill

_LEAST_TOKENS_READ = 2
"""One token alone is computed by another kernel than several, which rounds otherwise."""

CacheT = TypeVar("CacheT", bound=Cache)


class Prefix(Generic[CacheT]):
    """The beginning of prompts, kept as keys and values.

    Continuations grow behind it in the same memory and are forgotten when they end. While one is still growing, the
    next one works on a copy. On a device it is read when it is first continued, for there whole prompts are read anew
    with most of what is asked.

    Attributes:
        ids: its tokens.
    """

    def __init__(self, model: DecoderModel[CacheT], ids: Sequence[int]) -> None:
        self.ids = tuple(ids)
        self._model = model
        self._held: tuple[CacheT, npt.NDArray[np.float32]] | None = None
        self._being_read, self._in_use = threading.Lock(), threading.Lock()
        if not isinstance(model, DeviceModel):
            self._read()

    def __len__(self) -> int:
        """Its tokens."""
        return len(self.ids)

    def is_of(self, model: object) -> bool:
        """Whether this model computed it, the only one that can go on from it."""
        return self._model is model

    def shared_with(self, ids: Sequence[int]) -> int:
        """Tokens at the beginning of a prompt that need not be read, as they are this prefix's."""
        if tuple(ids) == self.ids:
            return len(ids)
        pairs = enumerate(zip(ids, self.ids, strict=False))
        common = next((at for at, (one, other) in pairs if one != other), min(len(ids), len(self.ids)))
        return max(0, min(common, len(ids) - _LEAST_TOKENS_READ))

    def read_into(self, cache: CacheT, ids: Sequence[int], limits: Limits) -> npt.NDArray[np.float32]:
        """Reads a prompt into an empty cache of one row, what it shares with the prefix by copying.

        Returns:
            The logits after its last token, [1, vocab].

        Raises:
            Interrupted: a limit was reached.
        """
        shared = self.shared_with(ids)
        cache.copy_from(self._read()[0], shared)
        return self._read_rest(cache, ids, shared, limits)

    @contextmanager
    def continued(
        self, ids: Sequence[int], capacity: int, limits: Limits
    ) -> Iterator[tuple[CacheT, npt.NDArray[np.float32]]]:
        """A cache that has read a prompt and has room for `capacity` tokens, and the logits after it, [1, vocab].

        Raises:
            Interrupted: a limit was reached.
        """
        shared, (held, _) = self.shared_with(ids), self._read()
        # What the prompt does not share would overwrite the prefix's own end.
        fits = shared == len(self.ids) and capacity <= held.capacity
        if not fits or not self._in_use.acquire(blocking=False):
            cache = self._model.new_cache(1, capacity)
            yield cache, self.read_into(cache, ids, limits)
            return
        try:
            yield held, self._read_rest(held, ids, shared, limits)
        finally:
            held.truncate(len(self.ids))
            self._in_use.release()

    def _read(self) -> tuple[CacheT, npt.NDArray[np.float32]]:
        """What holds it, and the logits after its last token, [1, vocab]."""
        with self._being_read:
            if self._held is None:
                # Room beyond what one sequence can need is for branches. Memory that no token reaches is never taken,
                # but on a device, where there are no branches.
                room = self._model.max_positions * (1 if isinstance(self._model, DeviceModel) else 2)
                cache = self._model.new_cache(1, room)
                self._held = cache, prefill(self._model, self.ids, cache, Limits())
            return self._held

    def _read_rest(self, cache: CacheT, ids: Sequence[int], shared: int, limits: Limits) -> npt.NDArray[np.float32]:
        # A copy, because rules change logits in place.
        return self._read()[1].copy() if shared == len(ids) else prefill(self._model, ids, cache, limits)
