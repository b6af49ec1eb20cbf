"""A running batch: rows that begin, join, step and leave over one cache."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.host_scores import HostTokenScores
from biogpt_onnx.runtime.backends.protocol import Backend, TokenScores
from biogpt_onnx.runtime.decoding.batching.reading import Reading, RowCacheT
from biogpt_onnx.runtime.decoding.batching.row import Row
from biogpt_onnx.runtime.memory.shortage import as_limit, is_shortage

ResultT = TypeVar("ResultT")


class Rows(Generic[RowCacheT]):
    """The rows of a running batch over one cache: those that step in front, and behind them those that are read.

    A row's tokens are, to the last bit, those that it gets alone, whatever joins and leaves meanwhile; except in
    bundles of recipes of which that cannot be promised, see `Recipe.batch_invariant`.

    Where there is no memory for a pass, memory that no row needs is given back. If that does not help, the rows that
    came last end with an error, one after the other, and the others go on: first those whose prompt is being read, then
    those that joined last. A pass that failed can be taken again: what it wrote lies behind the tokens that the cache
    holds, and is written anew.

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
        self._reading: Reading[RowCacheT] | None = None
        self._joined: list[Row] = []  # those that step, in the order in which they joined
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

    def give_back(self) -> int:
        """Gives the system back the memory of rows that have ended; returns about the number of its bytes."""
        for slot in range(len(self.stepping), self.max_rows):
            if self._reading is None or slot != self._reading.slot:
                self._cache.row(slot).truncate(0)
        return self._cache.give_back()

    def begin(self, rows: Sequence[Row]) -> None:
        """Begins rows that continue the same prompt, which is read once. After an error, nothing has begun.

        Args:
            rows: at least one and at most `num_free` unfinished rows.

        Raises:
            MemoryLimitError: it is known that there is no memory for what they will hold for certain.
            ValueError: too many rows, or a prompt is being read.
        """
        if self._reading is not None or not 0 < len(rows) <= self.num_free:
            raise ValueError(f"{len(rows)} rows cannot begin: {self.num_free} are free, {len(self.reading)} are read")
        slot = len(self.stepping)

        def begun() -> Reading[RowCacheT]:
            self._backend.check_room([row.state.least_cached_tokens for row in rows])
            return Reading(self._backend, rows, slot, self._cache.row(slot))

        self._reading = self._with_what_is_given_back(begun)

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

        Where there is no memory, it ends those alone that came last; see above.

        Returns:
            The rows that have ended, those among them whose prompt was being read.
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
        self._append_to_stepping(HostTokenScores(logits[: self.num_stepped]))
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
            scores = self._with_what_is_given_back(lambda: reading.read(most))
        except Exception as error:  # noqa: BLE001 -- a thread that serves others must go on
            return self._end_after(error, reading.rows)
        self.num_read = unread - reading.num_unread
        return () if scores is None else self._end_reading(reading, lambda: scores)

    def _step(self) -> list[Row]:
        for row in self.stepping:
            row.check_limits()
        ended = self._leave()
        while self.stepping:
            try:
                scores = self._with_what_is_given_back(self._scores_of_step)
            except Exception as error:  # noqa: BLE001 -- a thread that serves others must go on
                ended += self._end_after(error, self._last_come() if is_shortage(error) else self.stepping)
            else:
                self._append_to_stepping(scores)
                break
        self.num_stepped = len(self.stepping)
        return [*ended, *self._leave()]

    def _scores_of_step(self) -> TokenScores:
        return self._backend.step(self._step_ids(), self._front(len(self.stepping)))

    def _append_to_stepping(self, scores: TokenScores) -> None:
        for number, row in enumerate(self.stepping):
            row.append(scores[number : number + 1])

    def _with_what_is_given_back(self, work: Callable[[], ResultT]) -> ResultT:
        """Returns what a function returns; without memory, it is called again if any can be given back."""
        try:
            return work()
        except Exception as error:
            if not is_shortage(error) or not self.give_back():
                raise
        return work()

    def _last_come(self) -> Sequence[Row]:
        """Returns the rows that are the first to end where there is no memory: those that came last."""
        return self.reading or self._joined[-1:]

    def _end_after(self, error: Exception, rows: Sequence[Row]) -> list[Row]:
        """Ends running rows, or those whose prompt is being read, with an error; returns them."""
        _fail(rows, error)
        reading, is_full = self._reading, is_shortage(error)
        ended = self._end_reading(reading) if reading is not None and reading.is_over else []
        ended += self._leave(gives_back=is_full)
        if is_full:
            self.give_back()
        return ended

    def _end_reading(
        self, reading: Reading[RowCacheT], scores_of_prompt: Callable[[], TokenScores] | None = None
    ) -> list[Row]:
        """Lets the rows of a prompt get their first token and join the running ones; returns those that have ended."""
        if scores_of_prompt is not None:
            try:
                scores = scores_of_prompt()
            except Exception as error:  # noqa: BLE001 -- a thread that serves others must go on
                _fail(reading.rows, error)
            else:
                _append_first(reading.rows, scores)
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

    def _join(self, reading: Reading[RowCacheT]) -> None:
        for row in reading.rows:
            if not row.is_finished and len(self.stepping) != reading.slot:
                self._move(reading.slot, len(self.stepping), row)
            if not row.is_finished:
                self.stepping.append(row)
                self._joined.append(row)

    def _leave(self, *, gives_back: bool = False) -> list[Row]:
        """Takes the ended rows out; the last running row takes the place of each.

        Args:
            gives_back: True to give back the memory from which a row is moved.
        """
        ended: list[Row] = []
        while (slot := next((slot for slot, row in enumerate(self.stepping) if row.is_finished), None)) is not None:
            last = self.stepping[-1]
            if not last.is_finished:
                self._move(len(self.stepping) - 1, slot, last, gives_back=gives_back)
            if not last.is_finished:
                self.stepping[slot], self.stepping[-1] = last, self.stepping[slot]
            ended.append(self.stepping.pop())
            self._joined.remove(ended[-1])
        return ended

    def _move(self, source: int, target: int, row: Row, *, gives_back: bool = False) -> None:
        """Moves a row's tokens to another place of the cache, an error of which ends the row."""
        try:
            self._cache.move(source, target, gives_back=gives_back)
        except Exception as error:  # noqa: BLE001 -- a thread that serves others must go on
            _fail([row], error)


def _append_first(rows: Sequence[Row], scores: TokenScores) -> None:
    """Appends the first token of each of several rows, which may select different ones by the same scores."""
    for row in rows:
        if row.is_finished:
            continue
        try:
            # Rules change the logits in place, so that each row takes a copy.
            own = HostTokenScores(scores.logits().copy())
        except MemoryError as error:
            _fail([row], error)
        else:
            row.append(own)


def _fail(rows: Sequence[Row], error: Exception) -> None:
    for row in rows:
        row.error = row.error or as_limit(error)
