"""Requests end with their clients, their time or a fault, and leave nothing behind."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

import pytest
from starlette.types import ASGIApp

import biogpt_onnx
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.service import Service
from biogpt_onnx.server.settings import ServerSettings
from makers.asgi import Reply, ask

LONG = {"prompt": "Aspirin inhibits", "max_tokens": 900, "temperature": 0, "ignore_eos": True}
PRIVATE = "patient 4711"


def post(app: ASGIApp, content: object, **more: Any) -> Reply:
    return asyncio.run(ask(app, "POST", "/v1/completions", content, **more))


async def gathered(*asked: Awaitable[Reply]) -> list[Reply]:
    return list(await asyncio.gather(*asked))


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_client_that_leaves_a_stream_frees_its_row(app: ASGIApp, service: Service) -> None:
    reply = post(app, LONG | {"stream": True}, leaves=lambda reply: len(reply.parts) == 3)
    assert len(reply.parts) < 100
    assert service.admission.used == 0
    wait_until(lambda: service.model.num_running == 0)


def test_a_client_that_leaves_without_a_stream_frees_its_row(app: ASGIApp, service: Service) -> None:
    async def leave() -> Reply:
        left = asyncio.Event()
        asked = asyncio.create_task(ask(app, "POST", "/v1/completions", LONG, leaves=left))
        while not service.model.num_running:  # noqa: ASYNC110 -- the model tells nobody
            await asyncio.sleep(0.005)
        left.set()
        return await asked

    reply = asyncio.run(leave())
    assert reply.status == 0
    assert service.admission.used == 0
    wait_until(lambda: service.model.num_running == 0)


def test_one_that_leaves_does_not_disturb_another(app: ASGIApp) -> None:
    other = LONG | {"max_tokens": 60, "logprobs": 1}
    alone = post(app, other).json["choices"]

    async def both() -> list[Reply]:
        return await gathered(
            ask(app, "POST", "/v1/completions", other),
            ask(app, "POST", "/v1/completions", LONG | {"stream": True}, leaves=lambda reply: len(reply.parts) == 5),
        )

    assert asyncio.run(both())[0].json["choices"] == alone


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_ends_when_its_time_is_over(make_app: Callable[..., ASGIApp], stream: bool) -> None:  # noqa: FBT001
    app = make_app(answer_seconds=0.05)
    reply = post(app, LONG | {"stream": stream})
    assert reply.status == 200
    last = reply.events[-2] if stream else reply.json
    assert last["choices"][0]["finish_reason"] == "time"


def test_what_is_too_much_is_refused_and_says_when_to_try_again(make_app: Callable[..., ASGIApp]) -> None:
    app = make_app(max_rows=1, max_waiting=1, max_prompts=2)

    async def crowd() -> list[Reply]:
        return await asyncio.gather(*(ask(app, "POST", "/v1/completions", LONG | {"max_tokens": 50}) for _ in range(5)))

    replies = asyncio.run(crowd())
    statuses = sorted(reply.status for reply in replies)
    assert statuses == [200, 200, 429, 429, 429]
    refused = next(reply for reply in replies if reply.status == 429)
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json["error"]["type"] == "rate_limit_error"


def test_a_request_for_more_than_is_ever_allowed_is_bad(make_app: Callable[..., ASGIApp]) -> None:
    reply = post(make_app(max_prompts=3), {"prompt": ["a", "b"], "n": 2, "temperature": 1})
    assert reply.status == 400
    assert "at most 3 are allowed" in reply.json["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_says_nothing_of_texts(
    app: ASGIApp,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    stream: bool,  # noqa: FBT001
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(PRIVATE)

    monkeypatch.setattr(service.model, "stream_pieces", fail)
    monkeypatch.setattr(logging.getLogger("biogpt_onnx.server"), "propagate", True)
    with caplog.at_level(logging.INFO, "biogpt_onnx.server"):
        reply = post(app, {"prompt": PRIVATE, "stream": stream})
    assert reply.status == 500
    assert reply.json["error"]["type"] == "server_error"
    assert reply.headers["x-request-id"] in reply.json["error"]["message"]
    logged = " ".join(str(vars(record)) for record in caplog.records if record.name == "biogpt_onnx.server")
    assert "RuntimeError" in logged
    assert PRIVATE not in logged + reply.body.decode()
    assert service.admission.used == 0


def test_a_stream_that_fails_later_ends_with_the_error(
    app: ASGIApp, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = service.model.stream_pieces

    class Failing:
        def __init__(self, *args: Any, **settings: Any) -> None:
            self._stream = begin(*args, **settings)
            self._left = 3

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._stream.close()

        def __iter__(self) -> Self:
            return self

        def __next__(self) -> object:
            self._left -= 1
            if self._left < 0:
                raise ConfigError("the rules exclude every token")
            return next(self._stream)

    monkeypatch.setattr(service.model, "stream_pieces", Failing)
    reply = post(app, LONG | {"stream": True})
    *chunks, error, end = reply.events
    assert (reply.status, end) == (200, "[DONE]")
    assert len(chunks) == 3
    assert error["error"]["message"] == "the rules exclude every token"
    assert service.admission.used == 0


def test_scores_of_a_prompt_that_take_too_long_are_an_error(
    mini: biogpt_onnx.BioGPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(mini, "mini", ServerSettings(answer_seconds=0.05))

    def score(*_: object, cancel: threading.Event, **__: object) -> None:
        assert cancel.wait(60)
        raise biogpt_onnx.CancelledError("the text was not read to its end")

    monkeypatch.setattr(service.model, "score", score)
    reply = post(create_app(service), {"prompt": "Aspirin inhibits", "max_tokens": 0, "echo": True, "logprobs": 1})
    service.close()
    assert (reply.status, reply.json["error"]["code"]) == (503, "timeout")
    assert reply.json["error"]["message"] == "the answer took longer than 0.05 seconds: ask for less"
    assert service.admission.used == 0
