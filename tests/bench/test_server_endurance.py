"""The endurance run of the server, a short one on the embedded checkpoint, and what it counts as wrong."""

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from makers import completions_server
from makers.contenders import Scripts

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
]


@pytest.mark.long
def test_clients_of_all_kinds_get_what_they_ask_for(
    benchmarks: Scripts, mini_bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("uvicorn")
    endurance = benchmarks("server.endurance")
    monkeypatch.setattr(endurance, "BURST", 40)
    output = tmp_path / "endurance.json"
    arguments = ["endurance", "--output", str(output), "--requests", "200", "--bundle", str(mini_bundle)]
    monkeypatch.setattr(sys, "argv", arguments)
    code = endurance.main()
    found = json.loads(output.read_text(encoding="utf-8"))
    assert found["wrong"] == []
    # Of so few requests, memory is not held to anything.
    of_all = {name: passed for name, passed in found["checks"].items() if name != "memory_is_flat"}
    assert all(of_all.values()), of_all
    assert code == (0 if found["passed"] else 1)
    assert found["requests"] == sum(found["counts"].values()) == 200
    assert found["compared"] > 50
    assert found["statuses"]["burst"]["429"] > 0
    # A kind may be missing of so few, as which request is which depends on the order in which answers come.
    assert set(found["statuses"].get("wrong key", {})) <= {"401"}
    assert {"whole", "streamed", "burst"} <= set(found["counts"]) <= set(endurance._SHARES)
    assert {"requests", "resident_bytes", "threads", "open_files"} <= set(found["samples"][0])


# What is wrong.


@asynccontextmanager
async def fake_server() -> AsyncIterator[int]:
    server = await asyncio.start_server(completions_server.answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def outcome(benchmarks: Scripts, ask: Callable[[Any, Any], Awaitable[Any]], *, may_be_busy: bool = False) -> Any:
    misbehaviour = benchmarks("server.misbehaviour")

    async def run() -> Any:
        async with fake_server() as port:
            return await ask(misbehaviour, misbehaviour.Target(port, "a key", lambda: may_be_busy))

    return asyncio.run(run())


BODY = {"prompt": [2, 5], "max_tokens": 4}


def test_a_whole_answer_is_compared_with_that_of_the_request_alone(benchmarks: Scripts) -> None:
    right = benchmarks("server.misbehaviour").Answer("abcd", "length", 4)
    found = outcome(benchmarks, lambda module, target: module.whole(target, BODY, right, stream=True))
    assert (found.status, found.wrong, found.is_compared) == (200, None, True)
    other = benchmarks("server.misbehaviour").Answer("abce", "length", 4)
    found = outcome(benchmarks, lambda module, target: module.whole(target, BODY, other, stream=True))
    assert found.is_compared
    assert found.wrong.startswith("another answer than alone")
    found = outcome(benchmarks, lambda module, target: module.leave_after(target, BODY, other))
    assert found.wrong == "another answer than alone: 'abcd' instead of 'abce'"


def test_a_full_queue_is_an_error_unless_a_burst_has_filled_it(benchmarks: Scripts) -> None:
    alone = benchmarks("server.misbehaviour").Answer("abcd", "length", 4)
    busy = {**BODY, "behaviour": "busy"}

    def ask(module: Any, target: Any) -> Awaitable[Any]:
        answer: Awaitable[Any] = module.whole(target, busy, alone, stream=True)
        return answer

    assert outcome(benchmarks, ask).wrong == "status 429 for a good request"
    assert outcome(benchmarks, ask, may_be_busy=True).wrong is None


def test_a_bad_body_is_held_to_its_status_unless_a_burst_has_filled_the_queue(benchmarks: Scripts) -> None:
    module = benchmarks("server.misbehaviour")
    names = {name for name, _, _ in module.BAD_BODIES}
    assert len(names) == len(module.BAD_BODIES)

    class Always(random.Random):
        def choice(self, _: Any) -> Any:
            return ("busy", {**BODY, "behaviour": "busy"}, 400)

    def ask(module: Any, target: Any) -> Awaitable[Any]:
        answer: Awaitable[Any] = module.bad_body(target, Always())
        return answer

    assert outcome(benchmarks, ask).wrong == "busy: status 429 instead of 400"
    assert outcome(benchmarks, ask, may_be_busy=True).wrong is None


def test_a_request_that_is_let_in_with_a_wrong_key_is_wrong(benchmarks: Scripts) -> None:
    numbers = random.Random(0)  # noqa: S311 -- not for secrets
    found = outcome(benchmarks, lambda module, target: module.wrong_key(target, numbers))
    assert found.wrong == "wrong key: status 400 instead of 401"  # the fake asks for no key


def test_a_stream_that_breaks_is_wrong(benchmarks: Scripts) -> None:
    numbers = random.Random(0)  # noqa: S311 -- not for secrets
    error = benchmarks("server.loading.load").RequestError
    with pytest.raises(error, match="connection lost"):
        outcome(benchmarks, lambda module, target: module.leave_during(target, BODY | {"behaviour": "breaks"}, numbers))


def test_growth_is_that_behind_the_warm_up(benchmarks: Scripts) -> None:
    def sample(requests: int, resident: float, threads: int = 20) -> dict[str, float]:
        return {"requests": requests, "resident_bytes": resident, "threads": threads, "open_files": 9}

    warming = [sample(number, 1e6 * number) for number in range(0, 2000, 500)]
    flat = [sample(number, 1e8) for number in range(2000, 10_001, 1000)]
    growth_of = benchmarks("server.endurance").growth_of
    found = growth_of([*warming, *flat], 2000)
    assert abs(found["resident_share"]) < 1e-9
    assert (found["threads"], found["open_files"]) == (0, 0)
    growing = [sample(number, 1e8 + 1000 * number, 20 + number // 5000) for number in range(2000, 10_001, 1000)]
    found = growth_of([*warming, *growing], 2000)
    assert found["resident_bytes_per_thousand"] == pytest.approx(1e6)
    assert found["resident_share"] == pytest.approx(8e6 / 1.02e8)
    assert found["threads"] == 2


def test_a_server_that_cannot_start_is_one_line(
    benchmarks: Scripts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endurance = benchmarks("server.endurance")
    monkeypatch.setattr(sys, "argv", ["endurance", "--output", str(tmp_path / "x.json"), "--bundle", str(tmp_path)])
    assert endurance.main() == 2
    assert capsys.readouterr().err.startswith("error: RuntimeError: it ended with 2 before it was ready (error: ")
    assert not (tmp_path / "x.json").exists()
