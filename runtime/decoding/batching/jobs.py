"""Jobs of a loop: requests for rows, and searches that take passes of their own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from biogpt_onnx.runtime.decoding.batching.row import Row
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector


def _nobody() -> None:
    """Tells nobody."""


@dataclass(eq=False)
class RowJob:
    """A request whose sequences are rows of the running batch: greedy search or sampling.

    Attributes:
        request: the prompt with its sequences; filled in while it runs.
        rows: its sequences that are not finished from the beginning.
        on_pass: called after each pass that concerned it, and when it ends.
    """

    request: Request
    rows: Sequence[Row]
    on_pass: Callable[[], None] = _nobody
    _came: float = field(default_factory=perf_counter, init=False)
    _began: float = field(default=0.0, init=False)
    _first_token: float | None = field(default=None, init=False)

    @classmethod
    def of(
        cls, request: Request, selector: NextTokenSelector, limits: Limits, on_pass: Callable[[], None] = _nobody
    ) -> "RowJob":
        """Returns the job of a request, all of whose sequences have the same rules and limits."""
        rows = [Row(state, selector, limits) for state in request.states if state.finish_reason is None]
        return cls(request, rows, on_pass)

    @property
    def error(self) -> Exception | None:
        """What ended one of its rows instead of a token; None if nothing did."""
        return next((row.error for row in self.rows if row.error is not None), None)

    @property
    def is_finished(self) -> bool:
        """True if all its rows have ended."""
        return all(row.is_finished for row in self.rows)

    def check_limits(self) -> None:
        """Ends rows that have reached a limit."""
        for row in self.rows:
            row.check_limits()

    def begin(self) -> None:
        """Notes the time at which its prompt is the next to be read."""
        self._began = perf_counter()
        self.request.queue = self._began - self._came

    def end_unbegun(self, error: Exception | None = None) -> None:
        """Tells that it ended before it began.

        Args:
            error: what ended it; None for its own rules or limits.
        """
        self.begin()
        for row in self.rows:
            row.error = row.error or error
        self.request.has_ended = True
        self.on_pass()

    def note_pass(self) -> None:
        """Notes the time after a pass of the model that concerned it, and tells of it."""
        now = perf_counter()
        if self._first_token is not None:
            self.request.steps += 1
            self.request.decode = now - self._first_token
        elif any(row.state.num_new_tokens for row in self.rows):
            self._first_token = now
            self.request.prefill = now - self._began
        self.request.has_ended = self.is_finished
        self.on_pass()


@dataclass(eq=False)
class SearchJob:
    """A search that takes one pass of the model at a time: beams, drafts, or the scores of choices.

    Attributes:
        passes: takes a pass at each step, and checks the limits of the search.
        on_pass: called after each pass.
        limits: limits that are checked between the pieces of what it reads.
        ends_with_pass: True if its last step takes a pass, False if that only finds that it has ended.
        error: what ended it too early; None if nothing did.
        is_finished: True if it has ended.
    """

    passes: Iterator[None]
    on_pass: Callable[[], None] = _nobody
    limits: Limits = field(default_factory=Limits)
    ends_with_pass: bool = False
    error: Exception | None = None
    is_finished: bool = False

    def advance(self) -> bool:
        """Takes a pass, or finds that it has ended; an error in that ends this search alone.

        Returns:
            True if it took a pass.
        """
        try:
            next(self.passes)
        except StopIteration:
            self.is_finished = True
        except Exception as error:  # noqa: BLE001 -- rules may be the caller's own functions
            self.error, self.is_finished = error, True
        self.on_pass()
        return self.ends_with_pass or not self.is_finished
