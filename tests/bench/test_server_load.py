"""The load benchmark of servers: what it asks, what it sees of a server's answers, and the file that it leaves."""

import asyncio
import itertools
import json
import sys
import tarfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biogpt_onnx.bench.measuring.process import ContenderError, PinnedProcess
from makers import completions_server
from makers.contenders import Scripts

ROOT = Path(__file__).parents[2]
FAKE = Path(completions_server.__file__)

pytestmark = [
    pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
]


@asynccontextmanager
async def fake_server() -> AsyncIterator[int]:
    server = await asyncio.start_server(completions_server.answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def load_of(benchmarks: Scripts, fields: dict[str, object] | None = None, **load: Any) -> dict[str, Any]:
    """What is seen of a load of the fake server in this process."""
    settings = benchmarks("server.loading.load").Load("bc5cdr", **load)

    async def run() -> dict[str, Any]:
        async with fake_server() as port:
            ask = benchmarks("server.loading.client").completions(port, fields or {})
            seen: dict[str, Any] = await benchmarks("server.loading.load").run_load(ask, asdict(settings))
            return seen

    return asyncio.run(run())


# What is asked.


def test_equal_seeds_give_equal_requests_of_the_lengths_of_their_kind(benchmarks: Scripts) -> None:
    workload = benchmarks("server.loading.workload")
    kind = workload.KINDS["chat-like"]
    first = list(itertools.islice(workload.requests(kind, 3), 200))
    assert first == list(itertools.islice(workload.requests(kind, 3), 200))
    assert first != list(itertools.islice(workload.requests(kind, 4), 200))
    lengths = [len(request.prompt) for request in first]
    assert 32 <= min(lengths) < 60
    assert 480 < max(lengths) <= 512
    assert {request.new_tokens for request in first} <= set(range(16, 129))
    assert {request.prompt[0] for request in first} == {2}
    fixed = next(workload.requests(workload.KINDS["bc5cdr"]))
    assert (len(fixed.prompt), fixed.new_tokens) == (192, 17)


def test_arrivals_are_those_of_their_seed_and_come_at_the_rate_that_was_asked_for(benchmarks: Scripts) -> None:
    poisson = benchmarks("server.loading.workload").poisson_arrivals
    arrivals = poisson(120, 1000, 5)
    assert arrivals == poisson(120, 1000, 5)
    assert arrivals != poisson(120, 1000, 6)
    assert arrivals == sorted(arrivals)
    assert 1800 < len(arrivals) < 2200
    gaps = np.diff(arrivals)
    assert 0.9 < gaps.std() / gaps.mean() < 1.1  # of independent arrivals both are equal
    with pytest.raises(ValueError, match="0 requests a minute"):
        poisson(0, 10)


# What is seen.


def test_each_client_asks_again_when_it_is_answered(benchmarks: Scripts) -> None:
    found = load_of(benchmarks, warm_seconds=0.1, seconds=0.5, clients=3)
    requests = found["requests"]
    whole = [one for one in requests if one["ended"] is not None]
    assert len(whole) > 3
    assert all(one["error"] is None and one["written"] == one["asked"] for one in whole)
    assert all(sum(one["counts"]) == one["asked"] for one in whole)
    # The first ones are of different lengths, or all would read and write together.
    assert [one["asked"] for one in requests[:3]] == [5, 11, 17]
    assert sum(one["ended"] is None for one in requests) <= 3
    assert found["client_cpu_seconds"] > 0
    measures = benchmarks("server.loading.summary").summarize(requests, 0.1, 0.6)
    assert measures["errors"] == {}
    assert measures["events_per_token"] == 1.0
    assert measures["first_token"]["count"] >= 1
    assert measures["tokens_per_second"] == pytest.approx(measures["requests_per_minute"] / 60 * 17, rel=0.2)


def test_an_open_loop_sends_what_arrives_whether_or_not_it_is_answered(benchmarks: Scripts) -> None:
    found = load_of(benchmarks, warm_seconds=0.1, seconds=0.6, per_minute=1200, patience_seconds=5.0, seed=2)
    arrivals = benchmarks("server.loading.workload").poisson_arrivals(1200, 0.7, 2)
    assert [one["due"] for one in found["requests"]] == arrivals
    measures = benchmarks("server.loading.summary").summarize_arrivals(found["requests"], 0.1, 0.7)
    counted = sum(due >= 0.1 for due in arrivals)
    assert measures["whole"] == counted
    assert measures["unfinished"] == 0
    assert measures["to_the_end"]["count"] == counted


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("busy", "status 429"),
        ("breaks", "connection lost"),
        ("error", "error in the stream"),
        ("too few", "other number of tokens"),
    ],
)
def test_answers_that_are_not_as_they_should_be_are_counted_by_their_kind(
    benchmarks: Scripts, behaviour: str, error: str
) -> None:
    found = load_of(benchmarks, {"behaviour": behaviour}, warm_seconds=0.0, seconds=0.3, clients=2)
    measures = benchmarks("server.loading.summary").summarize(found["requests"], 0.0, 0.3)
    assert list(measures["errors"]) == [error]
    assert measures["errors"][error] >= 2
    assert measures["whole"] == 0


def test_a_server_that_is_not_there_is_an_error_and_no_end_of_the_run(benchmarks: Scripts) -> None:
    port = benchmarks("server.hosted").free_port()
    ask = benchmarks("server.loading.client").completions(port, {})
    load = {"kind": "text", "warm_seconds": 0.0, "seconds": 0.2, "clients": 1}
    found = asyncio.run(benchmarks("server.loading.load").run_load(ask, load))
    assert {one["error"] for one in found["requests"]} == {"connection refused"}


def test_tokens_between_which_a_long_prompt_is_read_are_told_from_the_others(benchmarks: Scripts) -> None:
    async def run() -> dict[str, Any]:
        async with fake_server() as port:
            ask = benchmarks("server.loading.client").completions(port, {})
            found: dict[str, Any] = await benchmarks("server.loading.load").run_beside_reading(ask, 2, 2, 5)
            return found

    found = asyncio.run(run())
    assert len(found["alone"]) >= 8
    assert found["reading"]
    assert min(*found["alone"], *found["reading"]) >= 0


# Measures.


def test_percentiles_are_those_of_numpy_and_left_out_where_too_few_samples_locate_them(benchmarks: Scripts) -> None:
    percentiles = benchmarks("server.loading.summary").percentiles
    samples = [float(number) for number in np.random.default_rng(0).permutation(400)]
    assert percentiles(samples) == {
        "count": 400,
        "p50": 199.5,
        "p95": pytest.approx(np.percentile(samples, 95)),
        "p99": pytest.approx(np.percentile(samples, 99)),
        "max": 399.0,
    }
    few = percentiles(samples[:60])
    assert few["p95"] is not None
    assert few["p99"] is None
    assert percentiles([3.0]) == {"count": 1, "p50": 3.0, "p95": None, "p99": None, "max": 3.0}
    assert percentiles([]) == {"count": 0, "p50": None, "p95": None, "p99": None, "max": None}


def seen(moments: list[float], asked: int, due: float = 0.0, **more: Any) -> dict[str, Any]:
    ended = moments[-1] if len(moments) == asked else None
    fields = {"written": None if ended is None else asked, "ended": ended, "error": None}
    return {"moments": moments, "counts": [1] * len(moments), "asked": asked, "due": due} | fields | more


def test_only_tokens_of_the_time_that_counts_are_counted(benchmarks: Scripts) -> None:
    requests = [
        seen([0.5, 1.5, 2.5, 3.5], 4),
        seen([2.0, 2.5], 10, due=1.75),
        seen([], 4, due=2.9),
    ]
    measures = benchmarks("server.loading.summary").summarize(requests, 1.0, 3.0)
    assert measures["tokens_per_second"] == 2.0
    assert measures["requests_per_minute"] == pytest.approx((2 / 4 + 2 / 10) / 2 * 60)
    assert measures["first_token"]["p50"] == 0.25
    assert measures["between_tokens"]["count"] == 3
    assert (measures["whole"], measures["unfinished"]) == (0, 2)


def test_tokens_that_come_several_at_a_time_are_counted_all(benchmarks: Scripts) -> None:
    requests = [seen([1.0, 2.0], 4, written=4, ended=2.0)]
    measures = benchmarks("server.loading.summary").summarize(requests, 0.0, 4.0)
    assert measures["events_per_token"] == 0.5
    assert measures["tokens_per_second"] == 1.0


# Processes.


def hosted(benchmarks: Scripts, tmp_path: Path, port: str) -> PinnedProcess:
    command = [sys.executable, "-m", "benchmarks.server.hosted", "--ready", "/", "--log", str(tmp_path / "output")]
    environment = benchmarks("processes").checkout_environment()
    return PinnedProcess([*command, "--", sys.executable, str(FAKE), port], [0], tmp_path / "log", environment)


def test_a_hosted_server_says_its_port_and_what_it_uses_and_ends_with_its_host(
    benchmarks: Scripts, tmp_path: Path
) -> None:
    with hosted(benchmarks, tmp_path, "{port}") as process:
        usage = process.ask({"usage": {}})
        assert usage["resident_bytes"] > 1_000_000
        assert usage["peak_resident_bytes"] >= usage["resident_bytes"]
        assert usage["threads"] == 1
        assert usage["open_files"] >= 3
        assert process.hello["start_seconds"] > 0
        port = process.hello["port"]
    ask = benchmarks("server.loading.client").completions(port, {})
    load = {"kind": "text", "warm_seconds": 0.0, "seconds": 0.1, "clients": 1}
    found = asyncio.run(benchmarks("server.loading.load").run_load(ask, load))
    # The first may find it in its last moment.
    assert found["requests"][-1]["error"] == "connection refused"


def test_a_server_that_does_not_start_is_told_with_what_it_said(benchmarks: Scripts, tmp_path: Path) -> None:
    with pytest.raises(ContenderError, match=r"ended with 1 before it was ready \(no such model\)"):
        hosted(benchmarks, tmp_path, "broken")


# A run.


@pytest.fixture
def fakes(benchmarks: Scripts, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two servers instead of the catalogue's, one of which cannot be started."""
    contenders = benchmarks("server.contenders")
    servers = {
        name: contenders.Server(name, (), lambda _, port=port: [sys.executable, str(FAKE), port], "/", {}, "")
        for name, port in (("good", "{port}"), ("bad", "broken"))
    }
    monkeypatch.setattr(benchmarks("server.running"), "SERVERS", servers)
    return servers


def measure(benchmarks: Scripts, tmp_path: Path, **choice: Any) -> tuple[set[str], dict[str, Any]]:
    parts, running = benchmarks("server.parts"), benchmarks("server.running")
    settings = {"servers": ["good", "bad"], "measures": ["closed", "open"], "kinds": ["bc5cdr"], "clients": [2]}
    chosen = parts.Choice(**(settings | {"rates": [600], "rounds": 1} | choice))
    times = benchmarks("server.measuring").Times(0.1, 0.3, 0.3, 5.0)
    results = benchmarks("server.results").ServerResults(tmp_path / "run.json", {"rows": 8})
    with ExitStack() as stack:
        setup = benchmarks("server.contenders").Setup(None, tmp_path, 1, 8)
        failed = running.Run(setup, results, tmp_path, stack).measure(chosen, times)
    return failed, json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))


@pytest.mark.usefixtures("fakes")
def test_a_run_measures_every_part_goes_on_where_it_was_and_outlives_a_server_that_fails(
    benchmarks: Scripts, tmp_path: Path
) -> None:
    failed, found = measure(benchmarks, tmp_path, clients=[1])
    assert failed == {"bad"}
    assert "no such model" in found["servers"]["bad"]["failed"]
    assert found["servers"]["good"]["failed"] is None
    assert found["servers"]["good"]["after_start"]["resident_bytes"] > 0
    assert list(found["parts"]) == ["closed bc5cdr 1 good 0", "open chat-like 600 good 0"]
    closed = found["parts"]["closed bc5cdr 1 good 0"]
    for name in ("tokens_per_second", "requests_per_minute", "resident_bytes", "client_cpu_seconds"):
        assert closed[name] > 0
    assert {"p50", "p95", "p99", "max", "count"} == set(closed["between_tokens"])
    assert closed["load"]["seconds"] == 0.3
    assert found["settings"] == {"rows": 8}
    assert found["machine"]["versions"]
    _, more = measure(benchmarks, tmp_path, clients=[1, 2], servers=["good"])
    assert more["parts"]["closed bc5cdr 1 good 0"] == closed
    assert list(more["parts"]) == [*found["parts"], "closed bc5cdr 2 good 0"]


def test_results_of_other_settings_are_not_gone_on_with(benchmarks: Scripts, tmp_path: Path) -> None:
    results, errors = benchmarks("server.results"), benchmarks("server.results").ResultsError
    path = tmp_path / "run.json"
    results.ServerResults(path, {"rows": 8}).add("part", {"seconds": 1})
    assert results.ServerResults(path, {"rows": 8}).has("part")
    with pytest.raises(errors, match="other settings: say --restart"):
        results.ServerResults(path, {"rows": 4})
    assert not results.ServerResults(path, {"rows": 4}, restart=True).has("part")


def test_servers_take_turns_and_another_begins_each_round(benchmarks: Scripts) -> None:
    parts = benchmarks("server.parts")
    choice = parts.Choice(["ours", "llama"], ["closed", "cost"], ["bc5cdr", "chat-like"], [8], [], 2)
    planned = [(part.measure, part.kind, part.server) for part in parts.plan(choice, ["ours", "ours-cache"], 8)]
    first = [("closed", kind, server) for kind in ("bc5cdr", "chat-like") for server in ("ours", "llama")]
    second = [("closed", kind, server) for kind in ("bc5cdr", "chat-like") for server in ("llama", "ours")]
    cost = ("cost", "bc5cdr", "ours")
    assert planned == [cost, *first, cost, *second]
    names = [part.name for part in parts.plan(choice, ["ours", "ours-cache"], 8)]
    assert len(set(names)) == len(names)


# Libraries without a server.


class FakeEngine:
    """Writes a token for everyone at each step."""

    def __init__(self) -> None:
        self.left: dict[int, int] = {}
        self.cancelled: list[int] = []

    def add(self, number: int, request: Any) -> None:
        if request.new_tokens > 1000:
            raise ValueError("too long")
        self.left[number] = request.new_tokens

    def cancel(self, number: int) -> None:
        self.cancelled.append(number)
        del self.left[number]

    def step(self) -> list[tuple[int, int, bool]]:
        time.sleep(0.002)
        news = []
        for number in list(self.left):
            self.left[number] -= 1
            news.append((number, 1, not self.left[number]))
            if not self.left[number]:
                del self.left[number]
        return news


def test_a_library_is_stepped_for_all_who_ask_and_told_of_those_who_left(benchmarks: Scripts) -> None:
    engine = FakeEngine()
    ask = benchmarks("server.peers.engine").Stepper(engine).ask
    request = benchmarks("server.loading.workload").Request
    error = benchmarks("server.loading.load").RequestError

    async def run() -> list[int]:
        ticks: list[int] = []
        leaving = asyncio.create_task(ask(request([2], 1000), ticks.append))
        written = await asyncio.gather(*(ask(request([2], count), lambda _: None) for count in (3, 5)))
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        with pytest.raises(error, match="too long"):
            await ask(request([2], 2000), ticks.append)
        return list(written)

    assert asyncio.run(run()) == [3, 5]
    assert engine.cancelled == [0]
    assert not engine.left


# llama.cpp's server.


@pytest.fixture
def compiler(benchmarks: Scripts, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands for pip and CMake: notes the programs that are run, and leaves what they would."""
    module = benchmarks("server.peers.llama_server")
    said: list[str] = []

    def run(command: list[str], _folder: Path) -> str | None:
        said.append(" ".join(command))
        if "download" in command:
            work = Path(command[command.index("--dest") + 1])
            source = work / "unpacked" / "llama_cpp_python-1" / "vendor" / "llama.cpp"
            source.mkdir(parents=True)
            (source / "CMakeLists.txt").touch()
            with tarfile.open(work / "llama_cpp_python-1.tar.gz", "w:gz") as archive:
                archive.add(work / "unpacked" / "llama_cpp_python-1", "llama_cpp_python-1")
        elif "--build" in command:
            built = Path(command[command.index("--build") + 1]) / "bin"
            built.mkdir(parents=True)
            for program in ("llama-server", "llama-quantize"):
                (built / program).write_text(program, encoding="utf-8")
        return None

    monkeypatch.setattr(module, "_run", run)
    return said


def test_llama_server_is_built_from_the_source_of_the_package_that_is_compared(
    benchmarks: Scripts, compiler: list[str], tmp_path: Path
) -> None:
    module = benchmarks("server.peers.llama_server")
    (tmp_path / "bin").mkdir()
    assert module.build(tmp_path, tmp_path / "unused") is None
    assert {path.name for path in (tmp_path / "bin").iterdir()} == {"llama-server", "llama-quantize"}
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]
    requirement = module.version()
    assert requirement in (ROOT / "benchmarks/compare/peers/requirements/llama-cpp.txt").read_text(encoding="utf-8")
    assert compiler[0].endswith(requirement)
    assert compiler[1].startswith("cmake -S ")


def test_a_build_that_fails_says_why_and_leaves_nothing(
    benchmarks: Scripts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = benchmarks("server.peers.llama_server")
    monkeypatch.setattr(module, "_run", lambda command, _: "no network" if "download" in command else None)
    assert module.build(tmp_path, tmp_path / "unused") == "no network"
    assert not list(tmp_path.iterdir())
