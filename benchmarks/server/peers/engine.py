"""Libraries that batch requests but come without a server: a thread that steps them, driven by the same loads."""

import asyncio
import itertools
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.server.loading.load import Ask, RequestError, Tick, run_beside_reading, run_load
from benchmarks.server.loading.workload import Request
from benchmarks.server.process_usage import usage
from benchmarks.serving import Handlers, serve


class Engine(Protocol):
    """A library with a loaded model. All is called by one thread."""

    def add(self, number: int, request: Request) -> None:
        """Takes a request on, under a number that no other has."""
        ...

    def cancel(self, number: int) -> None:
        """Gives a request up; it may have ended."""
        ...

    def step(self) -> Sequence[tuple[int, int, bool]]:
        """Computes on, and returns of requests how many new tokens there are, and True where that was the end."""
        ...


@dataclass
class _Waiting:
    request: Request
    tell: Callable[[int, bool], None]
    fail: Callable[[Exception], None]


class Stepper:
    """The thread that steps an engine for all who ask.

    Args:
        engine: whose thread it is.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._orders: queue.SimpleQueue[tuple[int, _Waiting | None]] = queue.SimpleQueue()
        self._numbers = itertools.count()
        threading.Thread(target=self._run, daemon=True).start()

    async def ask(self, request: Request, tick: Tick) -> int:
        """Sends a request, see `load.Ask`."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[int] = loop.create_future()
        written = 0

        def tell(count: int, ended: bool) -> None:  # noqa: FBT001 -- called by position alone
            nonlocal written
            if done.done():
                return
            if count:
                written += count
                tick(count)
            if ended:
                done.set_result(written)

        def fail(error: Exception) -> None:
            if not done.done():
                done.set_exception(RequestError(f"{type(error).__name__}: {error}"))

        number = next(self._numbers)
        waiting = _Waiting(
            request,
            lambda count, ended: _in_loop(loop, lambda: tell(count, ended)),
            lambda error: _in_loop(loop, lambda: fail(error)),
        )
        self._orders.put((number, waiting))
        try:
            return await done
        except asyncio.CancelledError:
            self._orders.put((number, None))
            raise

    def _run(self) -> None:
        running: dict[int, _Waiting] = {}
        while True:
            self._take_orders(running)
            try:
                news = self._engine.step()
            except Exception as error:  # noqa: BLE001 -- whoever asked is told
                for waiting in running.values():
                    waiting.fail(error)
                running.clear()
                continue
            for number, count, ended in news:
                if number in running:
                    running[number].tell(count, ended)
                    if ended:
                        del running[number]

    def _take_orders(self, running: dict[int, _Waiting]) -> None:
        """Takes what was ordered; waits for an order where nothing runs."""
        while not running or not self._orders.empty():
            number, waiting = self._orders.get()
            if waiting is None:
                if running.pop(number, None) is not None:
                    self._engine.cancel(number)
                continue
            try:
                self._engine.add(number, waiting.request)
            except Exception as error:  # noqa: BLE001 -- whoever asked is told
                waiting.fail(error)
            else:
                running[number] = waiting


def serve_engine(load_engine: Callable[[], tuple[Engine, Mapping[str, object]]]) -> None:
    """Serves loads of an engine by the protocol of `benchmarks.serving`.

    Args:
        load_engine: returns the engine, and what the first line says of it.
    """

    def load() -> tuple[Mapping[str, object], Handlers]:
        engine, first = load_engine()
        return first, handlers(Stepper(engine).ask)

    serve(load)


def handlers(ask: Ask) -> Handlers:
    """Returns the functions that answer the requests of a measurement."""

    def load(load: dict[str, Any]) -> Mapping[str, object]:
        return asyncio.run(run_load(ask, load))

    def beside_reading(**settings: int) -> Mapping[str, object]:
        return asyncio.run(run_beside_reading(ask, **settings))

    return {"load": load, "beside_reading": beside_reading, "usage": usage}


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    # A load that has ended has closed its loop, and nobody waits any more.
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        return
