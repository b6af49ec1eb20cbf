"""The loop that serves many requests with one model: what waits, what runs, and one pass after the other."""

from collections import deque
from collections.abc import Iterable
from typing import Generic

from biogpt_onnx.runtime.decoding.batching.jobs import RowJob, SearchJob
from biogpt_onnx.runtime.decoding.batching.rows import RowCacheT, Rows
from biogpt_onnx.runtime.decoding.batching.scheduling import Action, View, next_action


class Loop(Generic[RowCacheT]):
    """The requests of one model: they wait, begin, and take turns, as `next_action` decides.

    All calls must come from one thread; the numbers may be read from any.

    Args:
        rows: the running batch.
    """

    def __init__(self, rows: Rows[RowCacheT]) -> None:
        self._rows = rows
        self._waiting: deque[RowJob] = deque()
        self._waiting_searches: deque[SearchJob] = deque()
        self._searches: deque[SearchJob] = deque()
        self._running: list[RowJob] = []
        self._last = self._last_beside_steps = Action.WAIT

    @property
    def num_waiting(self) -> int:
        """Number of requests that have not begun."""
        return len(self._waiting) + len(self._waiting_searches)

    @property
    def num_running(self) -> int:
        """Number of requests that have begun and not ended."""
        return len(self._running) + len(self._searches)

    def submit(self, job: RowJob | SearchJob) -> None:
        """Adds a request behind those that wait.

        Raises:
            ValueError: it needs more rows than there are.
        """
        if isinstance(job, SearchJob):
            self._waiting_searches.append(job)
        elif len(job.rows) > self._rows.max_rows:
            raise ValueError(f"{len(job.rows)} rows are needed, there are {self._rows.max_rows}")
        else:
            self._waiting.append(job)

    def advance(self) -> Action:
        """Does what is next, at most one pass of the model; returns what it was."""
        self._end_waiting()
        action = next_action(self._view())
        match action:
            case Action.BEGIN_ROWS:
                self._begin()
            case Action.BEGIN_SEARCH:
                self._searches.append(self._waiting_searches.popleft())
            case Action.READ:
                reading = self._rows.reading
                self._rows.read()
                self._note(job for job in self._running if job.rows[0] in reading)
            case Action.STEP:
                stepping = list(self._rows.stepping)
                self._rows.step()
                self._note(job for job in self._running if any(row in stepping for row in job.rows))
            case Action.SEARCH:
                self._search()
            case Action.WAIT:
                pass
        if action in {Action.READ, Action.STEP, Action.SEARCH}:
            self._last = action
            if action is not Action.STEP:
                self._last_beside_steps = action
        return action

    def _view(self) -> View:
        return View(
            num_free=self._rows.num_free,
            waiting_rows=len(self._waiting[0].rows) if self._waiting else 0,
            is_reading=bool(self._rows.reading),
            is_stepping=bool(self._rows.stepping),
            num_searches=len(self._searches),
            is_search_waiting=bool(self._waiting_searches),
            last=self._last,
            last_beside_steps=self._last_beside_steps,
        )

    def _begin(self) -> None:
        job = self._waiting.popleft()
        self._running.append(job)
        job.begin()
        self._rows.begin(job.rows)

    def _note(self, jobs: Iterable[RowJob]) -> None:
        for job in jobs:
            job.note_pass()
        self._running = [job for job in self._running if not job.is_finished]

    def _search(self) -> None:
        # Other threads may count the searches meanwhile.
        self._searches[0].advance()
        if self._searches[0].is_finished:
            self._searches.popleft()
        else:
            self._searches.rotate(-1)

    def _end_waiting(self) -> None:
        """Lets requests go whose limits were reached, or that were finished, before they began."""
        for job in self._waiting:
            job.check_limits()
        ended = [job for job in self._waiting if job.is_finished]
        if ended:
            self._waiting = deque(job for job in self._waiting if not job.is_finished)
        for job in ended:
            job.end_unbegun()
