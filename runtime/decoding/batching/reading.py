"""A prompt that is being read into a row of a running batch's cache."""

from collections.abc import Sequence
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.chunks import next_chunk, read_chunk
from biogpt_onnx.runtime.backends.protocol import Backend, Cache, MixedDecoder, TokenScores
from biogpt_onnx.runtime.decoding.batching.row import Row
from biogpt_onnx.runtime.decoding.limits import Limits


class RowCache(Cache, Protocol):
    """A cache whose first rows can be stepped alone, and whose rows can be moved."""

    def front(self, count: int) -> Self:
        """Returns the first rows as a cache of its own, over the same memory."""
        ...

    def move(self, source: int, target: int, *, gives_back: bool = False) -> None:
        """Replaces the tokens of the row `target` by those of the row `source`.

        Args:
            source: row whose tokens are copied.
            target: row that gets them.
            gives_back: True to empty the row `source` and to give its memory back.
        """
        ...

    def give_back(self) -> int:
        """Gives the system back the memory of tokens that rows hold no more; returns about the number of its bytes.

        Returns 0 if there are no such tokens, so that nothing is gained by trying again what found no memory.
        """
        ...


RowCacheT = TypeVar("RowCacheT", bound=RowCache)


class Reading(Generic[RowCacheT]):
    """A prompt that is being read piece by piece into a row of the cache, for the rows that continue it."""

    def __init__(self, backend: Backend[RowCacheT], rows: Sequence[Row], slot: int, cache: RowCacheT) -> None:
        self._backend = backend
        self._cache = cache
        self._state = rows[0].state
        self.rows, self.slot = rows, slot
        cache.truncate(0)
        self.num_read = 0 if self._state.prefix is None else self._state.prefix.copy_into(cache, self._state.prompt_ids)

    @property
    def num_unread(self) -> int:
        """Number of the prompt's tokens that are not read yet."""
        return len(self._state.prompt_ids) - self.num_read

    @property
    def is_over(self) -> bool:
        """True if all its rows have ended, so that it need not be read further."""
        return all(row.is_finished for row in self.rows)

    def read(self, most: int) -> TokenScores | None:
        """Reads a piece of at most so many tokens; returns the scores after the prompt if it was the last."""
        ids = self._state.prompt_ids
        piece = next_chunk(self.num_read, len(ids), most)
        scores = None
        if piece.stop < len(ids):
            read_chunk(self._backend, ids, piece, self._cache)
        else:
            # The last piece is read together with the scores after it.
            scores = self._backend.read(ids, self._cache, Limits())
        # After an error, the piece can be read again.
        self.num_read = piece.stop
        return scores

    def read_and_step(
        self, mixed: MixedDecoder[RowCacheT], most: int, step_ids: npt.NDArray[np.int64], step_cache: RowCacheT
    ) -> npt.NDArray[np.float32]:
        """Reads a piece of at most so many tokens while others step.

        Returns:
            Logits after each step and, behind them, those after the prompt if the piece was its last.
        """
        ids = self._state.prompt_ids
        piece = next_chunk(self.num_read, len(ids), most)
        piece_ids = np.array([ids[piece]], dtype=np.int64)
        is_last = piece.stop == len(ids)
        logits = mixed.read_and_step(piece_ids, self._cache, step_ids, step_cache, is_last=is_last)
        self.num_read = piece.stop
        return logits
