"""A running batch: rows that begin, join, step and leave over one cache."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.chunks import next_chunk, read_chunk
from biogpt_onnx.runtime.backends.host_scores import HostTokenScores
from biogpt_onnx.runtime.backends.protocol import Backend, Cache, MixedDecoder, TokenScores
from biogpt_onnx.runtime.decoding.batching.row import Row
from biogpt_onnx.runtime.decoding.limits import Limits


class RowCache(Cache, Protocol):
    """A cache whose first rows can be stepped alone, and whose rows can be moved."""

    def front(self, count: int) -> Self:
        """Returns the first rows as a cache of its own, over the same memory."""
        ...

    def move(self, source: int, target: int) -> None:
        """Replaces the tokens of the row `target` by those of the row `source`."""
        ...


RowCacheT = TypeVar("RowCacheT", bound=RowCache)


class _Reading(Generic[RowCacheT]):
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
        self.num_read = piece.stop
        if self.num_unread:
            read_chunk(self._backend, ids, piece, self._cache)
            return None
        # The last piece is read together with the scores after it.
        return self._backend.read(ids, self._cache, Limits())

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


class Rows(Generic[RowCacheT]):
    """The rows of a running batch over one cache: those that step in front, and behind them those that are read.

    A row's tokens are, to the last bit, those that it gets alone, whatever joins and leaves meanwhile; except in
    bundles of recipes of which that cannot be promised, see `Recipe.batch_invariant`.

    Attributes:
        max_rows: most rows.
        stepping: rows that get a token at the next step; not to be changed.
        num_read: number of a prompt's tokens that the last call of `read`, `step` or `read_and_step` read.
        num_stepped: number of running rows that it stepped; if both are 0, it took no pass of the model.

    Args:
        backend: the backend that runs the model; its caches are `RowCache`s.
        max_rows: most rows.
        capacity: number of tokens that a row has room for.
    """

    def __init__(self, backend: Backend[RowCacheT], max_rows: int, capacity: int) -> None:
        self._backend = backend
        self._cache = backend.new_cache(max_rows, capacity)
        self._fronts: dict[int, RowCacheT] = {}
        self._reading: _Reading[RowCacheT] | None = None
        self.max_rows = max_rows
        self.stepping: list[Row] = []
        self.num_read = self.num_stepped = 0

    @property
    def mixes(self) -> bool:
        """True if `read_and_step` takes one pass of the model."""
        return self._backend.mixed is not None

    @property
    def reading(self) -> Sequence[Row]:
        """Rows whose prompt is being read; empty if none is."""
        return () if self._reading is None else self._reading.rows

    @property
    def num_free(self) -> int:
        """Number of rows that may begin."""
        return self.max_rows - len(self.stepping) - len(self.reading)

    @property
    def num_cached_tokens(self) -> int:
        """Number of tokens that the rows hold in the cache."""
        return int(self._cache.lengths[: len(self.stepping)].sum()) + self.num_of_prompt

    @property
    def num_of_prompt(self) -> int:
        """Number of tokens that the cache holds of the prompt that is being read; 0 if none is."""
        return 0 if self._reading is None else self._reading.num_read

    def begin(self, rows: Sequence[Row]) -> None:
        """Begins rows that continue the same prompt, which is read once.

        Args:
            rows: at least one and at most `num_free` unfinished rows.

        Raises:
            ValueError: too many rows, or a prompt is being read.
        """
        if self._reading is not None or not 0 < len(rows) <= self.num_free:
            raise ValueError(f"{len(rows)} rows cannot begin: {self.num_free} are free, {len(self.reading)} are read")
        slot = len(self.stepping)
        self._reading = _Reading(self._backend, rows, slot, self._cache.row(slot))

    def read(self, most: int) -> Sequence[Row]:
        """Reads a piece of the prompt that is being read; after the last, its rows get their first token and join.

        If all its rows have ended, it is read no further. An error of the model ends them.

        Args:
            most: most tokens of the piece, at least 4; see `next_chunk`. Where a prompt is cut changes no bit of its
                logits.

        Returns:
            The rows that have ended.
        """
        self.num_read = self.num_stepped = 0
        return self._read(most)

    def step(self) -> Sequence[Row]:
        """Appends a token to each running row in one pass of the model, an error of which ends all of them.

        Returns:
            The rows that have ended.
        """
        self.num_read = self.num_stepped = 0
        return self._step()

    def read_and_step(self, most: int) -> Sequence[Row]:
        """Does what `read` and `step` do, in one pass of the model if there is something to do for both.

        Where that pass fails, each is tried in a pass of its own, so that an error ends only those whom it concerns.

        Args:
            most: most tokens of the piece, at least 4; see `next_chunk`.

        Returns:
            The rows that have ended.
        """
        self.num_read = self.num_stepped = 0
        reading, mixed = self._reading, self._backend.mixed
        for row in (*self.stepping, *self.reading):
            row.check_limits()
        ended = self._leave()
        if mixed is None or reading is None or reading.is_over or not self.stepping:
            return [*ended, *self._step(), *self._read(most)]
        unread = reading.num_unread
        try:
            logits = reading.read_and_step(mixed, most, self._step_ids(), self._front(len(self.stepping)))
        except Exception:  # noqa: BLE001 -- tried again in two passes, which say whom it concerns
            return [*ended, *self._step(), *self._read(most)]
        self.num_read, self.num_stepped = unread - reading.num_unread, len(self.stepping)
        self._append_to_stepping(lambda: HostTokenScores(logits[: self.num_stepped]))
        ended += self._leave()
        if not reading.num_unread:
            ended += self._end_reading(reading, lambda: HostTokenScores(logits[self.num_stepped :]))
        return ended

    def _read(self, most: int) -> Sequence[Row]:
        reading = self._reading
        if reading is None:
            return ()
        for row in reading.rows:
            row.check_limits()
        if reading.is_over:
            return self._end_reading(reading)
        unread = reading.num_unread
        try:
            scores = reading.read(most)
        except Exception as error:  # noqa: BLE001 -- a thread that serves others must go on
            _fail(reading.rows, error)
            return self._end_reading(reading)
        self.num_read = unread - reading.num_unread
        return () if scores is None else self._end_reading(reading, lambda: scores)

    def _step(self) -> list[Row]:
        for row in self.stepping:
            row.check_limits()
        ended = self._leave()
        self.num_stepped = len(self.stepping)
        if self.stepping:
            self._append_to_stepping(lambda: self._backend.step(self._step_ids(), self._front(self.num_stepped)))
        return [*ended, *self._leave()]

    def _append_to_stepping(self, scores_of_step: Callable[[], TokenScores]) -> None:
        try:
            scores = scores_of_step()
        except Exception as error:  # noqa: BLE001 -- a thread that serves others must go on
            _fail(self.stepping, error)
            return
        for number, row in enumerate(self.stepping):
            row.append(scores[number : number + 1])

    def _end_reading(
        self, reading: _Reading[RowCacheT], scores_of_prompt: Callable[[], TokenScores] | None = None
    ) -> list[Row]:
        """Lets the rows of a prompt get their first token and join the running ones; returns those that have ended."""
        if scores_of_prompt is not None:
            try:
                scores = scores_of_prompt()
            except Exception as error:  # noqa: BLE001 -- a thread that serves others must go on
                _fail(reading.rows, error)
            else:
                for row in reading.rows:
                    # Rules change the logits in place, so that each row takes a copy.
                    if not row.is_finished:
                        row.append(HostTokenScores(scores.logits().copy()))
        self._reading = None
        self._join(reading)
        return [row for row in reading.rows if row.is_finished]

    def _step_ids(self) -> npt.NDArray[np.int64]:
        return np.array([[row.state.ids[-1]] for row in self.stepping], dtype=np.int64)

    def _front(self, count: int) -> RowCacheT:
        # Kept, because the model binds a cache's memory anew for each object.
        if count not in self._fronts:
            self._fronts[count] = self._cache.front(count)
        return self._fronts[count]

    def _join(self, reading: _Reading[RowCacheT]) -> None:
        joining = [row for row in reading.rows if not row.is_finished]
        first = len(self.stepping)
        for slot in range(first, first + len(joining)):
            if slot != reading.slot:
                self._cache.move(reading.slot, slot)
        self.stepping += joining

    def _leave(self) -> list[Row]:
        """Takes the ended rows out; the last running row takes the place of each."""
        ended = [row for row in self.stepping if row.is_finished]
        for row in ended:
            slot, last = self.stepping.index(row), len(self.stepping) - 1
            if slot != last:
                self._cache.move(last, slot)
                self.stepping[slot] = self.stepping[last]
            self.stepping.pop()
        return ended


def _fail(rows: Sequence[Row], error: Exception) -> None:
    for row in rows:
        row.error = row.error or error
