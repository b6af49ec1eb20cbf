"""A run over the parts that are not done yet, of servers that take turns."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.processes import started
from benchmarks.server.contenders import (
    OURS,
    OURS_CACHE,
    SERVERS,
    Contender,
    Setup,
    bundle_of,
    running,
    unavailable,
)
from benchmarks.server.measuring import Times, measure_cost, measure_load, measure_reading
from benchmarks.server.parts import Choice, Part, plan
from benchmarks.server.results import ServerResults
from biogpt_onnx.bench.measuring.process import ContenderError, PinnedProcess


class Run:
    """A run.

    Args:
        setup: what servers are started with.
        results: where parts go.
        logs: a folder for what servers print.
        stack: ends all processes.
    """

    def __init__(self, setup: Setup, results: ServerResults, logs: Path, stack: ExitStack) -> None:
        self._setup, self._results, self._logs, self._stack = setup, results, logs, stack
        self._runtimes: dict[str, PinnedProcess] = {}
        self._running: dict[str, Contender] = {}
        self._failed: set[str] = set()

    def measure(self, choice: Choice, times: Times) -> set[str]:
        """Measures what is not in the results yet; returns the names of servers that failed."""
        parts = [
            part for part in plan(choice, (OURS, OURS_CACHE), self._setup.rows) if not self._results.has(part.name)
        ]
        began = time.perf_counter()
        for number, part in enumerate(parts, 1):
            if part.server in self._failed:
                continue
            print(f"{time.perf_counter() - began:5.0f} s  {number} of {len(parts)}: {part.name}", flush=True)
            try:
                found = self._measured(part, times)
            except ContenderError as error:
                self._give_up(part.server, str(error))
            else:
                self._results.add(part.name, found)
        return self._failed

    def _measured(self, part: Part, times: Times) -> dict[str, Any]:
        contender = self._contender(part.server)
        contender.resume()
        try:
            if part.measure == "cost":
                found = measure_cost(contender, self._runtime(part.server), part)
            elif part.measure == "reading":
                found = measure_reading(contender, part)
            else:
                found = measure_load(contender, part, times)
            contender.settle()
            return found
        finally:
            contender.halt()

    def _contender(self, name: str) -> Contender:
        if name not in self._running:
            server = SERVERS[name]
            reason = unavailable(server, self._setup.environments)
            if reason is not None:
                raise ContenderError(reason)
            contender = self._stack.enter_context(running(server, self._setup, self._logs))
            self._running[name] = contender
            known = {"title": server.title, "remark": server.remark, "version": server.version, "failed": None}
            self._results.add_server(name, {**known, **contender.hello, "after_start": contender.usage()})
        return self._running[name]

    def _runtime(self, name: str) -> PinnedProcess:
        if name not in self._runtimes:
            threads = self._setup.threads
            bundle = bundle_of(name, self._setup.models)
            runtime = started("server.in_process", bundle, "--threads", threads, threads=threads)
            self._runtimes[name] = self._stack.enter_context(runtime)
        return self._runtimes[name]

    def _give_up(self, name: str, reason: str) -> None:
        print(f"{name} failed: {reason}", flush=True)
        self._failed.add(name)
        self._results.add_server(name, {"title": SERVERS[name].title, "failed": reason})
        if name in self._running:
            self._running.pop(name).close()
