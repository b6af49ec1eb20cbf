"""Loads that a server is put under, and what is seen of each request. Runs in every peer's environment, too."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.server.loading.workload import KINDS, Request, long_prompt, poisson_arrivals, requests

Tick = Callable[[int], None]
"""Is told of new tokens that have come together."""

Ask = Callable[[Request, Tick], Awaitable[int]]
"""Sends a request and returns how many tokens the server says it has written. Cancelled, it gives the request up.

It raises `RequestError` where the answer is not the one that was asked for.
"""


class RequestError(Exception):
    """A request was not answered as it should be; its message is the kind of error that is counted."""


@dataclass(frozen=True)
class Load:
    """A load: so many clients that each ask again when they are answered, or requests at given moments.

    Attributes:
        kind: name of the requests' kind.
        warm_seconds: before anything counts.
        seconds: that count.
        clients: how many ask all the time; None for an open loop.
        per_minute: arrivals of an open loop; None for clients.
        patience_seconds: how long an open loop waits for those who came in time.
        seed: of requests and arrivals.
    """

    kind: str
    warm_seconds: float
    seconds: float
    clients: int | None = None
    per_minute: float | None = None
    patience_seconds: float = 30.0
    seed: int = 0


@dataclass
class Seen:
    """What was seen of a request; moments are seconds since the load began.

    Attributes:
        prompt_tokens: that it reads.
        asked: new tokens that it asks for.
        due: when it was to be sent.
        moments: when new tokens came.
        counts: how many came at each of these moments.
        written: how many tokens the server says there are; None while it has not ended.
        ended: when it ended, in error or not; None where it was given up.
        error: kind of the error; None where there was none.
    """

    prompt_tokens: int
    asked: int
    due: float
    moments: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    written: int | None = None
    ended: float | None = None
    error: str | None = None


class Loading:
    """A load while it runs.

    Args:
        load: what is asked for.
        ask: sends a request.
    """

    def __init__(self, load: Load, ask: Ask) -> None:
        self._load, self._ask = load, ask
        self._all = _all_requests(load)
        self._start = time.perf_counter()
        self._seen: list[Seen] = []

    async def run(self) -> dict[str, Any]:
        """Loads the server and returns what was seen: `requests`, and `client_cpu_seconds` within what counts."""
        clock = asyncio.create_task(self._cpu_seconds())
        if self._load.clients is None:
            await self._open()
        else:
            await self._closed(self._load.clients)
        return {"requests": [asdict(seen) for seen in self._seen], "client_cpu_seconds": await clock}

    async def _cpu_seconds(self) -> float:
        await asyncio.sleep(self._load.warm_seconds)
        before = time.process_time()
        await asyncio.sleep(self._load.seconds)
        return time.process_time() - before

    async def _closed(self, clients: int) -> None:
        asking = [asyncio.create_task(self._client(number, clients)) for number in range(clients)]
        await asyncio.sleep(self._load.warm_seconds + self._load.seconds)
        await _give_up(asking)

    async def _client(self, number: int, clients: int) -> None:
        first = next(self._all)
        # Clients that begin together would read their prompts together for ever.
        await self._one(Request(first.prompt, max(1, first.new_tokens * (number + 1) // clients)), self._now())
        while True:
            failed = await self._one(next(self._all), self._now())
            if failed:
                await asyncio.sleep(0.1)  # one that is refused at once must not ask without end

    async def _open(self) -> None:
        length = self._load.warm_seconds + self._load.seconds
        asking = []
        for due in poisson_arrivals(self._load.per_minute or 0, length, self._load.seed):
            await asyncio.sleep(max(0.0, due - self._now()))
            asking.append(asyncio.create_task(self._one(next(self._all), due)))
        await asyncio.sleep(max(0.0, length - self._now()))
        if asking:
            await asyncio.wait(asking, timeout=self._load.patience_seconds)
        await _give_up(asking)

    async def _one(self, request: Request, due: float) -> bool:
        """Sends a request and records what is seen of it; returns True where it failed."""
        seen = Seen(len(request.prompt), request.new_tokens, due)
        self._seen.append(seen)

        def tick(count: int) -> None:
            seen.moments.append(self._now())
            seen.counts.append(count)

        try:
            seen.written = await self._ask(request, tick)
            if seen.written != request.new_tokens:
                seen.error = "other number of tokens"
        except RequestError as error:
            seen.error = str(error)
        seen.ended = self._now()
        return seen.error is not None

    def _now(self) -> float:
        return time.perf_counter() - self._start


async def run_load(ask: Ask, load: dict[str, Any]) -> dict[str, Any]:
    """Runs a load that came as JSON, see `Loading.run`."""
    return await Loading(Load(**load), ask).run()


async def run_all(ask: Ask, kind: str, count: int, clients: int) -> dict[str, Any]:
    """Sends the first requests of a kind, by so many clients, and returns the `seconds` until all are answered.

    Raises:
        RequestError: one was not answered as it should be.
    """
    some = itertools.islice(requests(KINDS[kind]), count)
    began = time.perf_counter()

    async def client() -> None:
        for request in some:
            if await ask(request, lambda _count: None) != request.new_tokens:
                raise RequestError("other number of tokens")

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return {"seconds": time.perf_counter() - began}


async def run_beside_reading(ask: Ask, writers: int, rounds: int, tokens_before: int) -> dict[str, Any]:
    """Takes the times between a text's tokens, while nobody's and while somebody's long prompt is read.

    Args:
        ask: sends a request.
        writers: how many texts are written at once.
        rounds: how often a long prompt is read.
        tokens_before: of each text, until the long prompt comes.

    Returns:
        `alone` and `reading`, seconds between tokens; those of `reading` overlap with the time between the long
        request and its answer.
    """
    alone: list[float] = []
    reading: list[float] = []
    for number in range(rounds):
        one, other = await _beside_reading(ask, writers, number, tokens_before)
        alone += one
        reading += other
    return {"alone": alone, "reading": reading}


async def _beside_reading(ask: Ask, writers: int, number: int, tokens_before: int) -> tuple[list[float], list[float]]:
    moments: list[list[float]] = [[] for _ in range(writers)]
    written = asyncio.Event()

    def ticker(times: list[float]) -> Tick:
        def tick(_count: int) -> None:
            times.append(time.perf_counter())
            if all(len(each) >= tokens_before for each in moments):
                written.set()

        return tick

    texts = list(itertools.islice(requests(KINDS["text"], number), writers))
    writing = [
        asyncio.create_task(_finished(ask, text, ticker(times))) for text, times in zip(texts, moments, strict=True)
    ]
    try:
        everyone = asyncio.create_task(written.wait())
        await asyncio.wait([everyone, *writing], return_when=asyncio.FIRST_COMPLETED)
        everyone.cancel()
        begin = time.perf_counter()
        await ask(long_prompt(number), lambda _count: None)
        end = time.perf_counter()
    finally:
        await _give_up(writing)
    return _gaps(moments, begin, end)


async def _finished(ask: Ask, request: Request, tick: Tick) -> None:
    await ask(request, tick)


def _gaps(moments: list[list[float]], begin: float, end: float) -> tuple[list[float], list[float]]:
    # Before all are there, one's step waits for the others' prompts.
    first = max((times[0] for times in moments if times), default=begin)
    alone: list[float] = []
    reading: list[float] = []
    for times in moments:
        for earlier, later in itertools.pairwise(times):
            if later <= begin and earlier > first:
                alone.append(later - earlier)
            elif later > begin and earlier < end:
                reading.append(later - earlier)
    return alone, reading


async def _give_up(tasks: list["asyncio.Task[Any]"]) -> None:
    """Cancels what still runs, waits for its end, and raises what no request may raise."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def _all_requests(load: Load) -> Iterator[Request]:
    return requests(KINDS[load.kind], load.seed)
