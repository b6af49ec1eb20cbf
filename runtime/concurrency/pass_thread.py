"""The thread in which one model's passes run, one after the other, for callers in any number of threads."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.decoding.batching.jobs import RowJob, SearchJob
from biogpt_onnx.runtime.decoding.batching.loop import Loop
from biogpt_onnx.runtime.decoding.batching.rows import PIECE_TOKENS, Rows
from biogpt_onnx.runtime.decoding.batching.scheduling import Action
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.errors import CLOSED, ConfigError, ModelClosedError

ResultT = TypeVar("ResultT")
_Job = RowJob | SearchJob


class PassThread:
    """The thread in which a model's passes run: calls from many threads share its steps.

    Greedy search and sampling of all callers run in one batch, which sequences join and leave; beams, drafts, choices
    and scores take passes of their own between the steps. A caller's results do not depend on the others.

    Args:
        backend: the backend that runs the model.
        max_rows: most sequences that are continued at a time; further ones wait.
    """

    def __init__(self, backend: Backend[Any], max_rows: int) -> None:
        self._backend = backend
        self.max_rows = max_rows
        self._loop: Loop[Any] = Loop(Rows(backend, max_rows, backend.max_positions))
        self._new: list[_Job] = []
        self._changed = threading.Condition()
        self._is_closed = False
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
        """Returns what a function returns that takes a pass of the model, and takes it between those of others."""
        found: list[ResultT] = []

        def once() -> Iterator[None]:
            found.append(function())
            yield from ()

        wake = threading.Event()
        for _ in self._wait([SearchJob(once(), wake.set)], Limits(), wake):
            pass
        return found[0]

    def close(self) -> None:
        """Ends the thread after what runs and waits has ended; later calls are errors. May be called twice."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _job(self, request: Request, config: GenerationConfig, limits: Limits, wake: threading.Event) -> _Job:
        if config.num_beams > 1 or config.prompt_lookup_num_tokens:
            return SearchJob(self._passes(request, config, limits), wake.set)
        if len(request.states) > self.max_rows:
            raise ConfigError(
                f"num_return_sequences is {len(request.states)}, but at most {self.max_rows} sequences run at a time: "
                "ask for fewer"
            )
        return RowJob.of(request, NextTokenSelector(config), limits, wake.set)

    def _passes(self, request: Request, config: GenerationConfig, limits: Limits) -> Iterator[None]:
        """Takes the passes of a search; its prompt is read in pieces, too."""
        state = request.states[0]
        if state.prefix is None and len(state.prompt_ids) > PIECE_TOKENS and self._backend.reads_prefixes_ahead:
            state.prefix = Prefix(self._backend, state.prompt_ids, read_later=True)
            for _ in state.prefix.read_in_pieces(PIECE_TOKENS):
                if reason := limits.reached():
                    state.finish_reason = reason
                    return
                yield
        yield from run_search(self._backend, [request], config, limits)

    def _wait(self, jobs: Sequence[_Job], limits: Limits, wake: threading.Event) -> Iterator[None]:
        self._submit(jobs)
        try:
            while not all(job.is_finished for job in jobs):
                wake.wait()
                wake.clear()
                _raise_errors(jobs)
                yield
            _raise_errors(jobs)
        finally:
            if not all(job.is_finished for job in jobs):
                limits.cancel()

    def _submit(self, jobs: Sequence[_Job]) -> None:
        with self._changed:
            if self._is_closed:
                raise ModelClosedError(CLOSED)
            self._new += jobs
            self._changed.notify()

    def _run(self) -> None:
        action = Action.WAIT
        while True:
            with self._changed:
                while action is Action.WAIT and not self._new and not self._is_closed:
                    self._changed.wait()
                if action is Action.WAIT and not self._new:
                    return
                new, self._new = self._new, []
            for job in new:
                self._loop.submit(job)
            action = self._loop.advance()


def _raise_errors(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        if job.error is not None:
            raise job.error
