"""Thousands of requests to our server, good and bad: `python -m benchmarks.server.endurance --output FILE`.

Clients ask for short texts of the embedded checkpoint, leave before, during and after their answer, send bad bodies and
wrong keys, and come in bursts that there is no room for. Held is that no error comes that was not asked for, that every
whole answer is that of the same request alone, and that memory, threads and open files do not grow.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.full_size import THREADS
from benchmarks.processes import CHECKOUT, checkout_environment
from benchmarks.results_file import output_file, stamp, write_results
from benchmarks.server import misbehaviour
from benchmarks.server.loading.load import RequestError
from benchmarks.server.misbehaviour import Answer, Outcome, Target
from biogpt_onnx.bench.machine import usable_cores
from biogpt_onnx.bench.measuring.process import PinnedProcess
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.runtime.errors import BioGptError

WORKERS = 12
ROWS = 8
WAITING = 16
BURST = 48
BODIES = 60
MOST_GROWTH = 0.03
"""Share of its memory by which the server may grow behind the warm-up."""
MOST_THREADS = 4
"""Threads by which it may grow then: those of its pools that are started when they are first needed."""

_WARM_SHARE = 0.2
_SAMPLES = 100
_FIRST_WRONG = 20
_BAD_INPUT = 2
_SETTLE_SECONDS = 30.0
_PATIENCE_SECONDS = 120
_KEY = "a-key-for-the-endurance-run"

Usage = Callable[[], Mapping[str, float]]

_SHARES = {
    "whole": 90,
    "streamed": 75,
    "leaves before": 30,
    "leaves during": 36,
    "leaves after": 15,
    "bad body": 30,
    "wrong key": 12,
    "wrong place": 9,
    "burst": 1,
}


@dataclass
class Tally:
    """What was seen of all requests.

    Attributes:
        counts: requests by kind.
        statuses: by kind, how often each status came; "none" stands for an answer that nobody waited for.
        wrong: what should not have been: the first ones in words.
        num_wrong: how many there were.
        compared: whole answers that were compared.
        different: those of them that were another.
    """

    counts: Counter[str] = field(default_factory=Counter)
    statuses: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    wrong: list[str] = field(default_factory=list)
    num_wrong: int = 0
    compared: int = 0
    different: int = 0

    def add(self, kind: str, outcome: Outcome) -> None:
        """Adds what became of a request."""
        self.counts[kind] += 1
        self.statuses[kind][str(outcome.status or "none")] += 1
        self.compared += outcome.is_compared
        if outcome.wrong is not None:
            self.num_wrong += 1
            self.different += outcome.is_compared
            if len(self.wrong) < _FIRST_WRONG:
                self.wrong.append(f"{kind}: {outcome.wrong}")


class Endurance:
    """A run against a server.

    Args:
        target: the server.
        usage: returns what its process uses.
        requests: how many there are in all.
        seed: equal seeds ask for the same.
        burst_size: requests of a burst.
    """

    def __init__(self, target: Target, usage: Usage, requests: int, seed: int, burst_size: int) -> None:
        self._target = replace(target, may_be_busy=lambda: self._bursts > 0)
        self._usage, self._left, self._all, self._burst_size = usage, requests, requests, burst_size
        self._warm = max(int(requests * _WARM_SHARE), burst_size)
        self._numbers = random.Random(seed)  # noqa: S311 -- not for secrets
        self._bursts = 0
        self._asking = asyncio.Lock()
        self._asked: list[tuple[dict[str, Any], Answer]] = []
        self._samples: list[dict[str, float]] = []
        self.tally = Tally()

    async def run(self, bodies: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Asks for each text alone, then sends everything, and returns counts, samples and checks.

        Args:
            bodies: of the good requests.

        Raises:
            RequestError: a request alone is not answered.
        """
        for body in bodies:
            status, answer = await misbehaviour.ask_whole(self._target, body, stream=False)
            if answer is None:
                raise RequestError(f"status {status} for a good request alone")
            self._asked.append((body, answer))
        began = time.perf_counter()
        await self._send(max(0, self._warm - self._burst_size))
        # The largest crowd comes once before anything is held against it.
        self._left -= self._burst_size
        await self._burst()
        await self._sample(await self._settled())
        await self._send(self._left)
        seconds = time.perf_counter() - began
        await self._sample(await self._settled())
        return self._found(seconds, await self._left_over())

    async def _send(self, count: int) -> None:
        budget = [count]
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._worker(budget))

    async def _worker(self, budget: list[int]) -> None:
        while budget[0] > 0:
            kind = self._numbers.choices(list(_SHARES), list(_SHARES.values()))[0]
            if kind == "burst" and budget[0] >= self._burst_size:
                self._take(budget, self._burst_size)
                await self._burst()
                continue
            self._take(budget, 1)
            if self._left % max(1, self._all // _SAMPLES) == 0:
                await self._sample(await self._used())
            kind = "whole" if kind == "burst" else kind
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    outcome = await self._request(kind)
            except RequestError as error:
                outcome = Outcome(None, str(error))
            except TimeoutError:
                outcome = Outcome(None, f"no answer within {_PATIENCE_SECONDS} seconds")
            self.tally.add(kind, outcome)

    def _take(self, budget: list[int], count: int) -> None:
        budget[0] -= count
        self._left -= count

    def _request(self, kind: str) -> Awaitable[Outcome]:
        body, alone = self._numbers.choice(self._asked)
        target, numbers = self._target, self._numbers
        ways: dict[str, Callable[[], Awaitable[Outcome]]] = {
            "whole": lambda: misbehaviour.whole(target, body, alone, stream=False),
            "streamed": lambda: misbehaviour.whole(target, body, alone, stream=True),
            "leaves before": lambda: misbehaviour.leave_before(target, body, numbers),
            "leaves during": lambda: misbehaviour.leave_during(target, body, numbers),
            "leaves after": lambda: misbehaviour.leave_after(target, body, alone),
            "bad body": lambda: misbehaviour.bad_body(target, numbers),
            "wrong key": lambda: misbehaviour.wrong_key(target, numbers),
            "wrong place": lambda: misbehaviour.wrong_place(target, numbers),
        }
        return ways[kind]()

    async def _burst(self) -> None:
        self._bursts += 1
        try:
            asked: list[tuple[Mapping[str, object], Answer]] = list(
                self._numbers.choices(self._asked, k=self._burst_size)
            )
            for outcome in await misbehaviour.burst(self._target, asked):
                self.tally.add("burst", outcome)
        finally:
            # What it left in the queue may still keep others out.
            await asyncio.sleep(0.5)
            self._bursts -= 1

    async def _sample(self, usage: Mapping[str, float]) -> None:
        self._samples.append({"requests": self._all - self._left, **usage})

    async def _used(self) -> Mapping[str, float]:
        async with self._asking:  # the process answers one at a time
            return await asyncio.to_thread(self._usage)

    async def _settled(self) -> Mapping[str, float]:
        """Returns what the server uses once its connections and idle threads are gone."""
        began = time.perf_counter()
        before = await self._used()
        while time.perf_counter() - began < _SETTLE_SECONDS:
            await asyncio.sleep(1)
            after = await self._used()
            same = all(after[name] == before[name] for name in ("threads", "open_files"))
            if same and after["cpu_seconds"] - before["cpu_seconds"] < 0.1:  # noqa: PLR2004 -- a tenth of a core
                return after
            before = after
        return before

    async def _left_over(self) -> dict[str, Any]:
        async with self._target.exchange(None, method="GET", path="/load") as exchange:
            found: dict[str, Any] = await exchange.json()
        return found

    def _found(self, seconds: float, load: Mapping[str, Any]) -> dict[str, Any]:
        tally = self.tally
        growth = growth_of(self._samples, self._warm)
        checks = {
            "no_error_that_was_not_asked_for": tally.num_wrong == 0,
            "answers_equal_those_alone": tally.compared > 0 and tally.different == 0,
            "overload_was_refused": tally.statuses["burst"]["429"] > 0,
            "nothing_is_left": load["running"] == 0 and load["waiting"] == 0,
            "memory_is_flat": growth["resident_share"] <= MOST_GROWTH,
            "threads_do_not_grow": growth["threads"] <= MOST_THREADS,
            "open_files_do_not_grow": growth["open_files"] <= 0,
        }
        return {
            "requests": sum(tally.counts.values()),
            "seconds": seconds,
            "counts": dict(tally.counts),
            "statuses": {kind: dict(each) for kind, each in tally.statuses.items()},
            "compared": tally.compared,
            "different": tally.different,
            "num_wrong": tally.num_wrong,
            "wrong": tally.wrong,
            "growth": growth,
            "load_after": dict(load),
            "checks": checks,
            "passed": all(checks.values()),
            "samples": self._samples,
        }


def growth_of(samples: Sequence[Mapping[str, float]], warm: float) -> dict[str, float]:
    """Returns how a process has grown, of samples of what it uses.

    Args:
        samples: each with the number of `requests` until then; the last one of the warm-up and the last one of all are
            of an idle process.
        warm: requests of the warm-up, which do not count.

    Returns:
        `resident_bytes_per_thousand` requests (the slope of a straight line by least squares), `resident_share` (what
        this adds up to over all that counts, beside the memory at its beginning), and by how many `threads` and
        `open_files` the idle process has grown.
    """
    counted = [sample for sample in samples if sample["requests"] >= warm]
    numbers = np.array([sample["requests"] for sample in counted])
    resident = np.array([sample["resident_bytes"] for sample in counted])
    spread = float(np.ptp(numbers)) if counted else 0.0
    slope = float(np.polyfit(numbers, resident, 1)[0]) if spread else 0.0
    return {
        "resident_bytes_per_thousand": slope * 1000,
        "resident_share": slope * spread / float(resident[0]) if counted else 0.0,
        "threads": counted[-1]["threads"] - counted[0]["threads"] if counted else 0.0,
        "open_files": counted[-1]["open_files"] - counted[0]["open_files"] if counted else 0.0,
    }


def main() -> int:
    """Runs it and writes the results; returns 1 where a check fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=output_file, required=True, metavar="FILE", help="the results, as JSON")
    parser.add_argument("--requests", type=int, default=10_000, metavar="N", help="default 10,000")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what is asked")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="default: the embedded checkpoint in float32")
    options = parser.parse_args()
    results = stamp()
    try:
        found = _run(options.bundle, options.requests, options.seed)
    except (BioGptError, RequestError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _BAD_INPUT
    settings = {"threads": THREADS, "rows": ROWS, "waiting": WAITING, "workers": WORKERS, "burst": BURST}
    write_results(options.output, results | {"settings": {**settings, "seed": options.seed}} | found)
    for name, passed in found["checks"].items():
        print(f"{'yes' if passed else 'NO ':3}  {name.replace('_', ' ')}")
    for line in found["wrong"]:
        print(line)
    return 0 if found["passed"] else 1


def _run(given: Path | None, requests: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = given or folder / "bundle"
        if given is None:
            export_bundle(open_checkpoint(str(CHECKOUT / "checkpoints" / "mini")), bundle)
        key_file = folder / "keys"
        key_file.touch(mode=0o600)
        key_file.write_text(f"{_KEY}\n", encoding="utf-8")
        with PinnedProcess(
            _command(bundle, key_file, folder), usable_cores()[:THREADS], folder / "log", checkout_environment()
        ) as server:
            target = Target(server.hello["port"], _KEY)
            run = Endurance(target, lambda: server.ask({"usage": {}}), requests, seed, BURST)
            return asyncio.run(run.run(misbehaviour.good_bodies(BODIES, seed)))


def _command(bundle: Path, key_file: Path, folder: Path) -> list[str]:
    host = [sys.executable, "-m", "benchmarks.server.hosted", "--ready", "/ready", "--log", str(folder / "output")]
    serve = [sys.executable, "-m", "biogpt_onnx", "serve", str(bundle), "--port", "{port}", "--threads", str(THREADS)]
    bounds = ["--max-rows", str(ROWS), "--max-waiting", str(WAITING), "--max-prompts", str(ROWS)]
    return [*host, "--", *serve, *bounds, "--api-key-file", str(key_file)]


if __name__ == "__main__":
    sys.exit(main())
