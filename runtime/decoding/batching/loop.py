"""The loop that serves many requests with one model: what waits, what runs, and one pass after the other."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Generic

from biogpt_onnx.runtime.backends.chunks import at_pace
from biogpt_onnx.runtime.decoding.batching.jobs import RowJob, SearchJob
from biogpt_onnx.runtime.decoding.batching.mixed_piece_length import MixedPieceLength
from biogpt_onnx.runtime.decoding.batching.piece_length import PieceLength
from biogpt_onnx.runtime.decoding.batching.reading import RowCacheT
from biogpt_onnx.runtime.decoding.batching.row import Row
from biogpt_onnx.runtime.decoding.batching.rows import Rows
from biogpt_onnx.runtime.decoding.batching.scheduling import Action, View, next_action
from biogpt_onnx.runtime.memory.shortage import as_limit, is_shortage

Job = RowJob | SearchJob

OnPass = Callable[[Action, int, int, float], None]
"""Takes what a pass of the model was (`READ`, `STEP`, `READ_AND_STEP` or `SEARCH`), two numbers, and its seconds.

The numbers are those of a prompt's tokens that were read, and of the running rows that got one; both are 0 for a
search.
"""


def _none() -> Iterable[Job]:
    return ()


def _not_told(action: Action, num_read: int, num_stepped: int, seconds: float) -> None:
    """Tells nobody."""


class Loop(Generic[RowCacheT]):
    """The requests of one model: they wait, begin, and take turns, as `next_action` decides.

    A request for whose prompt there is no memory while others run waits, with those behind it, until one of these has
    ended.

    All calls must come from one thread; the numbers may be read from any. The loop is also the pace at which searches
    read (see `at_pace`): what they read is divided into pieces, between which the rows take their turns.

    Attributes:
        num_cached_tokens: number of tokens that the rows hold in their cache.

    Args:
        rows: the running batch.
        arrivals: returns the requests that have come since it was called last.
        on_pass: called after each pass of the model.
    """

    def __init__(
        self,
        rows: Rows[RowCacheT],
        arrivals: Callable[[], Iterable[Job]] = _none,
        on_pass: OnPass = _not_told,
    ) -> None:
        self._rows, self._arrivals, self._on_pass = rows, arrivals, on_pass
        self._waiting: deque[RowJob] = deque()
        self._waiting_searches: deque[SearchJob] = deque()
        self._searches: deque[SearchJob] = deque()
        self._running: list[RowJob] = []
        self._last = self._last_beside_steps = Action.WAIT
        self._apart, self._mixed = PieceLength(rows.max_rows), MixedPieceLength()
        self._pass_began = 0.0
        self._failure: Exception | None = None
        self._is_held_back = False
        self.num_cached_tokens = 0

    @property
    def num_waiting(self) -> int:
        """Number of requests that have not begun."""
        return len(self._waiting) + len(self._waiting_searches)

    @property
    def num_running(self) -> int:
        """Number of requests that have begun and not ended."""
        return len(self._running) + len(self._searches)

    def submit(self, job: Job) -> None:
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
        """Does what is next, at most one pass of the model; returns what it was.

        A search that reads a long text takes several passes, and others take theirs between them.
        """
        action = self._next_action()
        self._do(action)
        return action

    def most_tokens(self) -> int:
        """Returns the most tokens of the next piece that is read in a pass of its own."""
        return self._apart.most_tokens(len(self._rows.stepping), self.num_waiting)

    def pause(self, tokens: int) -> None:
        """Lets the others take their turns after a piece that the running search has read.

        Raises:
            Interrupted: a limit of the search was reached.
        """
        seconds = self._note_pass(Action.SEARCH)
        self._apart.note_piece(len(self._rows.stepping), tokens, seconds)
        search = self._searches[0]
        # The rows' own prompts are read as the loop decides, not at the pace of a search.
        with at_pace(None):
            self._do_all_before_the_search()
        search.limits.check()
        self._pass_began = perf_counter()

    def give_back(self) -> None:
        """Gives the system back the memory of rows that have ended."""
        self._rows.give_back()

    def _do_all_before_the_search(self) -> None:
        try:
            while (action := self._next_action()) is not Action.SEARCH:
                self._do(action)
        except Exception as error:
            # The search, through which it goes, must not take it for its own.
            self._failure = error
            raise

    def _next_action(self) -> Action:
        for job in self._arrivals():
            self.submit(job)
        self._end_waiting()
        return next_action(self._view())

    def _do(self, action: Action) -> None:
        self._pass_began = perf_counter()
        match action:
            case Action.BEGIN_ROWS:
                self._begin()
            case Action.BEGIN_SEARCH:
                self._searches.append(self._waiting_searches.popleft())
            case Action.READ:
                self._read()
            case Action.STEP:
                self._step()
            case Action.READ_AND_STEP:
                self._read_and_step()
            case Action.SEARCH:
                self._search()
            case Action.WAIT:
                pass

    def _view(self) -> View:
        return View(
            num_free=self._rows.num_free,
            waiting_rows=len(self._waiting[0].rows) if self._waiting and not self._is_held_back else 0,
            is_reading=bool(self._rows.reading),
            is_stepping=bool(self._rows.stepping),
            num_searches=len(self._searches),
            is_search_waiting=bool(self._waiting_searches),
            mixes=self._rows.mixes,
            last=self._last,
            last_beside_steps=self._last_beside_steps,
        )

    def _begin(self) -> None:
        job = self._waiting[0]
        job.begin()
        try:
            self._rows.begin(job.rows)
        except Exception as error:  # noqa: BLE001 -- a thread that serves others must go on
            self._is_held_back = is_shortage(error) and bool(self.num_running)
            if not self._is_held_back:
                self._waiting.popleft().end_unbegun(as_limit(error))
        else:
            self._running.append(self._waiting.popleft())

    def _read(self) -> None:
        reading, num_stepping = self._rows.reading, len(self._rows.stepping)
        self._rows.read(self.most_tokens())
        seconds = self._note_pass_of_rows(Action.READ)
        self._apart.note_piece(num_stepping, self._rows.num_read, seconds)
        self._tell(reading)

    def _step(self) -> None:
        stepping = list(self._rows.stepping)
        ended = self._rows.step()
        seconds = self._note_pass_of_rows(Action.STEP)
        self._note_step(seconds)
        self._tell([*stepping, *ended])

    def _read_and_step(self) -> None:
        concerned, before = [*self._rows.stepping, *self._rows.reading], self._rows.num_of_prompt
        self._rows.read_and_step(self._mixed.most_tokens(len(self._rows.stepping), before, self.num_waiting))
        seconds = self._note_pass_of_rows(Action.READ_AND_STEP)
        num_read, num_stepped = self._rows.num_read, self._rows.num_stepped
        if num_read and num_stepped:
            self._mixed.note_piece(num_stepped, before, num_read, seconds)
        elif num_stepped:
            self._note_step(seconds)
        self._tell(concerned)

    def _note_pass_of_rows(self, action: Action) -> float:
        tokens = self._rows.num_read, self._rows.num_stepped
        return self._note_pass(action, *tokens, took_pass=any(tokens))

    def _note_step(self, seconds: float) -> None:
        if num_rows := self._rows.num_stepped:
            self._apart.note_step(num_rows, seconds)
            self._mixed.note_step(num_rows, seconds)

    def _search(self) -> None:
        # Other threads may count the searches meanwhile.
        with at_pace(self):
            took_pass = self._searches[0].advance()
        if self._failure is not None:
            raise self._failure
        self._note_pass(Action.SEARCH, took_pass=took_pass)
        if self._searches[0].is_finished:
            self._searches.popleft()
            self._is_held_back = False
        else:
            self._searches.rotate(-1)

    def _note_pass(self, action: Action, num_read: int = 0, num_stepped: int = 0, *, took_pass: bool = True) -> float:
        """Notes what was done last, and tells of it if that took a pass of the model; returns its seconds."""
        seconds = perf_counter() - self._pass_began
        self.num_cached_tokens = self._rows.num_cached_tokens
        self._last = action
        if action is not Action.STEP:
            self._last_beside_steps = action
        if took_pass:
            self._on_pass(action, num_read, num_stepped, seconds)
        return seconds

    def _tell(self, rows: Sequence[Row]) -> None:
        """Tells the jobs of rows that a pass concerned them."""
        for job in self._running:
            if any(row in rows for row in job.rows):
                job.note_pass()
        still_running = [job for job in self._running if not job.is_finished]
        self._is_held_back &= len(still_running) == len(self._running)
        self._running = still_running

    def _end_waiting(self) -> None:
        """Lets requests go whose limits were reached, or that were finished, before they began."""
        for job in self._waiting:
            job.check_limits()
        ended = [job for job in self._waiting if job.is_finished]
        if ended:
            self._waiting = deque(job for job in self._waiting if not job.is_finished)
            self._is_held_back = False
        for job in ended:
            job.end_unbegun()
