"""The thread in which one model's passes run, one after the other, for callers in any number of threads."""

import threading
from collections.abc import Callable, Iterator, Sequence
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

ResultT = TypeVar("ResultT")

_KINDS: dict[Action, PassKind] = {
    Action.READ: "read",
    Action.STEP: "step",
    Action.READ_AND_STEP: "mixed",
    Action.SEARCH: "search",
}

_SECONDS_BETWEEN_CHECKS = 1.0
"""Seconds after which a caller who waits looks if the thread still runs."""


class PassThread:
    """The thread in which a model's passes run: calls from many threads share its steps.

    Greedy search and sampling of all callers run in one batch, which sequences join and leave; beams, drafts, choices
    and scores take passes of their own between the steps. A caller's results do not depend on the others.

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
        rows = Rows(backend, max_rows, backend.max_positions)
        self._loop: Loop[Any] = Loop(rows, self._take_new, self._report)
        self._new: list[Job] = []
        self._calls: dict[threading.Event, Limits] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self._failure: tuple[Exception, TracebackType | None] | None = None
        self._thread = threading.Thread(target=self._run, name="biogpt-passes", daemon=True)
        self._thread.start()

    @property
    def num_waiting(self) -> int:
        """Number of prompts that wait for a row, or for their search to begin."""
        return len(self._new) + self._loop.num_waiting

    @property
    def num_running(self) -> int:
        """Number of prompts that are read, continued or scored."""
        return self._loop.num_running

    @property
    def cache_usage(self) -> float:
        """Share of the positions of the running batch's cache that its rows hold, from 0 to 1."""
        return self._loop.num_cached_tokens / self._room

    def search(self, requests: Sequence[Request], config: GenerationConfig, limits: Limits) -> Iterator[None]:
        """Continues every request's sequences as `run_search` does; yields now and then while tokens come.

        An iterator that is left before its end cancels the search.

        Raises:
            ConfigError: the rules exclude every token, or there are more samples than rows.
            ModelClosedError: the thread was closed.
        """
        wake = threading.Event()
        yield from self._wait([self._job(request, config, limits, wake) for request in requests], limits, wake)

    def call(self, function: Callable[[], ResultT]) -> ResultT:
        """Returns what a function returns that takes passes of the model, and takes them between those of others.

        Raises:
            CancelledError: the thread was closed, and what ran was cancelled.
            ModelClosedError: the thread was closed before.
        """
        found: list[ResultT] = []
        limits, wake = Limits(), threading.Event()

        def passes() -> Iterator[None]:
            limits.check()
            found.append(function())
            yield from ()

        try:
            for _ in self._wait([SearchJob(passes(), wake.set, limits, ends_with_pass=True)], limits, wake):
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
                for limits in tuple(self._calls.values()):
                    limits.cancel()
            self._changed.notify()
        self._thread.join()

    def _job(self, request: Request, config: GenerationConfig, limits: Limits, wake: threading.Event) -> Job:
        if config.num_beams > 1 or config.prompt_lookup_num_tokens:
            return SearchJob(self._passes(request, config, limits, perf_counter()), wake.set, limits)
        if len(request.states) > self.max_rows:
            raise ConfigError(
                f"num_return_sequences is {len(request.states)}, but at most {self.max_rows} sequences run at a time: "
                "ask for fewer"
            )
        return RowJob.of(request, NextTokenSelector(config), limits, wake.set)

    def _passes(self, request: Request, config: GenerationConfig, limits: Limits, came: float) -> Iterator[None]:
        request.queue = perf_counter() - came
        yield from run_search(self._backend, [request], config, limits)

    def _wait(self, jobs: Sequence[Job], limits: Limits, wake: threading.Event) -> Iterator[None]:
        self._submit(jobs, limits, wake)
        try:
            while not all(job.is_finished for job in jobs):
                if not wake.wait(_SECONDS_BETWEEN_CHECKS):
                    self._check_thread(wake)
                    continue
                wake.clear()
                self._raise_failure()
                _raise_errors(jobs)
                yield
            _raise_errors(jobs)
        finally:
            if not all(job.is_finished for job in jobs):
                limits.cancel()
            with self._changed:
                self._calls.pop(wake, None)

    def _submit(self, jobs: Sequence[Job], limits: Limits, wake: threading.Event) -> None:
        if threading.current_thread() is self._thread:
            raise ConfigError(
                "the model was called by a function that it calls itself, such as a rule or on_pass, and would wait "
                "for itself: call the model that it was made of"
            )
        with self._changed:
            self._raise_failure()
            if self._is_closed:
                raise ModelClosedError(CLOSED)
            self._calls[wake] = limits
            self._new += jobs
            self._changed.notify()

    def _check_thread(self, wake: threading.Event) -> None:
        """Raises an error if the thread runs no more and has not woken a caller before it ended."""
        if not self._thread.is_alive() and not wake.is_set():
            raise RuntimeError(
                "the thread of the model's passes does not run, as in a process that was forked: make the concurrent "
                "model in the process that uses it"
            )

    def _raise_failure(self) -> None:
        if self._failure is not None:
            error, trace = self._failure
            raise error.with_traceback(trace)

    def _run(self) -> None:
        try:
            with giving_back(self._loop.give_back):
                self._serve()
        except BaseException as error:  # noqa: BLE001 -- raised by all calls, whose threads would wait for ever
            with self._changed:
                self._failure = _as_exception(error), error.__traceback__
                for wake in tuple(self._calls):
                    wake.set()

    def _serve(self) -> None:
        action = Action.WAIT
        while True:
            with self._changed:
                while action is Action.WAIT and not self._new and not self._is_closed:
                    self._changed.wait()
                if action is Action.WAIT and not self._new:
                    return
            action = self._loop.advance()

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
