"""The thread in which one model's passes run, one after the other, for callers in any number of threads."""

import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, TypeVar

from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.concurrency.pass_report import OnPass, PassKind, PassReport
from biogpt_onnx.runtime.decoding.batching.jobs import RowJob, SearchJob
from biogpt_onnx.runtime.decoding.batching.loop import Job, Loop
from biogpt_onnx.runtime.decoding.batching.rows import Rows
from biogpt_onnx.runtime.decoding.batching.scheduling import Action
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.errors import CLOSED, CancelledError, ConfigError, ModelClosedError
from biogpt_onnx.runtime.memory.guard import giving_back
from biogpt_onnx.runtime.memory.shortage import as_limit

ResultT = TypeVar("ResultT")

_KINDS: dict[Action, PassKind] = {
    Action.READ: "read",
    Action.STEP: "step",
    Action.READ_AND_STEP: "mixed",
    Action.SEARCH: "search",
}

_SECONDS_BETWEEN_CHECKS = 1.0
"""Seconds after which a caller who waits looks if the thread still runs."""


@dataclass(eq=False)
class _Call:
    """A caller who waits.

    Attributes:
        limits: limits of all that was asked for.
        wake: set when there is something new.
        failure: what ended the loop while the call waited, and where; None if nothing did.
    """

    limits: Limits
    wake: threading.Event
    failure: tuple[Exception, TracebackType | None] | None = None

    def raise_failure(self) -> None:
        """Raises what ended the loop, if anything did."""
        if self.failure is not None:
            error, trace = self.failure
            raise error.with_traceback(trace)


class PassThread:
    """The thread in which a model's passes run: calls from many threads share its steps.

    Greedy search and sampling of all callers run in one batch, which sequences join and leave; beams, drafts, choices
    and scores take passes of their own between the steps. A caller's results do not depend on the others.

    An error that is no request's own, such as a want of memory between the passes, ends all calls that wait. The next
    ones begin anew, over a new cache.

    Args:
        backend: the backend that runs the model.
        max_rows: most sequences that are continued at a time; further ones wait.
        on_pass: function that is called in the thread after each pass; see `BioGPT.concurrent`.
    """

    def __init__(self, backend: Backend[Any], max_rows: int, on_pass: OnPass | None = None) -> None:
        self._backend = backend
        self._on_pass = on_pass
        self._room = max_rows * backend.max_positions
        self.max_rows = max_rows
        self._loop: Loop[Any] | None = self._new_loop()
        self._new: list[Job] = []
        self._calls: set[_Call] = set()
        self._changed = threading.Condition()
        self._is_closed = False
        self._failure: tuple[Exception, TracebackType | None] | None = None
        self._thread = threading.Thread(target=self._run, name="biogpt-passes", daemon=True)
        self._thread.start()

    @property
    def num_waiting(self) -> int:
        """Number of prompts that wait for a row, or for their search to begin."""
        loop = self._loop
        return len(self._new) + (0 if loop is None else loop.num_waiting)

    @property
    def num_running(self) -> int:
        """Number of prompts that are read, continued or scored."""
        loop = self._loop
        return 0 if loop is None else loop.num_running

    @property
    def cache_usage(self) -> float:
        """Share of the positions of the running batch's cache that its rows hold, from 0 to 1."""
        loop = self._loop
        return 0.0 if loop is None else loop.num_cached_tokens / self._room

    def search(self, requests: Sequence[Request], config: GenerationConfig, limits: Limits) -> Iterator[None]:
        """Continues every request's sequences as `run_search` does; yields now and then while tokens come.

        An iterator that is left before its end cancels the search.

        Raises:
            ConfigError: the rules exclude every token, or there are more samples than rows.
            ModelClosedError: the thread was closed.
        """
        call = _Call(limits, threading.Event())
        yield from self._wait([self._job(request, config, call) for request in requests], call)

    def call(self, function: Callable[[], ResultT]) -> ResultT:
        """Returns what a function returns that takes passes of the model, and takes them between those of others.

        Raises:
            CancelledError: the thread was closed, and what ran was cancelled.
            ModelClosedError: the thread was closed before.
        """
        found: list[ResultT] = []
        call = _Call(Limits(), threading.Event())

        def passes() -> Iterator[None]:
            call.limits.check()
            found.append(function())
            yield from ()

        try:
            for _ in self._wait([SearchJob(passes(), call.wake.set, call.limits, ends_with_pass=True)], call):
                pass
        except Interrupted:
            raise CancelledError("cancelled, because the model was closed meanwhile") from None
        return found[0]

    def close(self, *, cancel: bool = False) -> None:
        """Ends the thread after what runs and waits has ended; later calls are errors. May be called twice.

        Args:
            cancel: True to cancel what runs and waits.
        """
        with self._changed:
            self._is_closed = True
            if cancel:
                for call in self._calls:
                    call.limits.cancel()
            self._changed.notify()
        self._thread.join()

    def _new_loop(self) -> Loop[Any]:
        rows = Rows(self._backend, self.max_rows, self._backend.max_positions)
        return Loop(rows, self._take_new, self._report)

    def _job(self, request: Request, config: GenerationConfig, call: _Call) -> Job:
        if config.num_beams > 1 or config.prompt_lookup_num_tokens:
            passes = self._passes(request, config, call.limits, perf_counter())
            return SearchJob(passes, call.wake.set, call.limits)
        if len(request.states) > self.max_rows:
            raise ConfigError(
                f"num_return_sequences is {len(request.states)}, but at most {self.max_rows} sequences run at a time: "
                "ask for fewer"
            )
        return RowJob.of(request, NextTokenSelector(config), call.limits, call.wake.set)

    def _passes(self, request: Request, config: GenerationConfig, limits: Limits, came: float) -> Iterator[None]:
        request.queue = perf_counter() - came
        yield from run_search(self._backend, [request], config, limits)

    def _wait(self, jobs: Sequence[Job], call: _Call) -> Iterator[None]:
        self._submit(jobs, call)
        try:
            while not all(job.is_finished for job in jobs):
                call.raise_failure()
                if not call.wake.wait(_SECONDS_BETWEEN_CHECKS):
                    self._check_thread(call)
                    continue
                call.wake.clear()
                if call.failure is None:
                    _raise_errors(jobs)
                    yield
            _raise_errors(jobs)
        finally:
            if not all(job.is_finished for job in jobs):
                call.limits.cancel()
            with self._changed:
                self._calls.discard(call)

    def _submit(self, jobs: Sequence[Job], call: _Call) -> None:
        if threading.current_thread() is self._thread:
            raise ConfigError(
                "the model was called by a function that it calls itself, such as a rule or on_pass, and would wait "
                "for itself: call the model that it was made of"
            )
        with self._changed:
            call.failure = self._failure
            call.raise_failure()
            if self._is_closed:
                raise ModelClosedError(CLOSED)
            self._calls.add(call)
            self._new += jobs
            self._changed.notify()

    def _check_thread(self, call: _Call) -> None:
        """Raises an error if the thread runs no more and has not woken a caller before it ended."""
        if not self._thread.is_alive() and not call.wake.is_set():
            raise RuntimeError(
                "the thread of the model's passes does not run, as in a process that was forked: make the concurrent "
                "model in the process that uses it"
            )

    def _run(self) -> None:
        try:
            with giving_back(self._give_back):
                while not self._serve_all():
                    pass
        except BaseException as error:  # noqa: BLE001 -- raised by all calls, whose threads would wait for ever
            self._failure = _as_exception(error), error.__traceback__
            self._end_calls(*self._failure)

    def _serve_all(self) -> bool:
        """Serves calls until the thread is closed; returns False if an error of the loop ended them before."""
        try:
            self._serve()
        except Exception as error:  # noqa: BLE001 -- raised by all calls that wait
            # Memory first: what the frames hold, and the cache, which no frame holds then.
            self._loop = None
            traceback.clear_frames(error.__traceback__)
            self._end_calls(as_limit(error), error.__traceback__)
            return False
        return True

    def _serve(self) -> None:
        action = Action.WAIT
        while True:
            with self._changed:
                while action is Action.WAIT and not self._new and not self._is_closed:
                    self._changed.wait()
                if action is Action.WAIT and not self._new:
                    return
            if self._loop is None:
                self._loop = self._new_loop()
            action = self._loop.advance()

    def _end_calls(self, error: Exception, trace: TracebackType | None) -> None:
        with self._changed:
            self._new.clear()
            for call in self._calls:
                call.failure = error, trace
                call.wake.set()

    def _give_back(self) -> None:
        if self._loop is not None:
            self._loop.give_back()

    def _take_new(self) -> Sequence[Job]:
        with self._changed:
            new, self._new = self._new, []
        return new

    def _report(self, action: Action, num_read: int, num_stepped: int, seconds: float) -> None:
        if self._on_pass is None:
            return
        try:
            self._on_pass(PassReport(_KINDS[action], num_read, num_stepped, seconds))
        except Exception as error:  # noqa: BLE001 -- a watcher's error must not end what others compute
            self._on_pass = None
            threading.excepthook(
                threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread()))
            )


def _as_exception(error: BaseException) -> Exception:
    """Returns an error that callers may raise, whose own threads must not end as by `sys.exit`."""
    if isinstance(error, Exception):
        return error
    return RuntimeError(f"the thread of the model's passes was ended by {type(error).__name__}: {error}")


def _raise_errors(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.error is not None:
            raise job.error
