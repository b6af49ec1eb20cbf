"""Requests that share passes, of which one finds no memory: it is to try again, and the others get their answers."""

import asyncio
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from starlette.types import ASGIApp

from biogpt_onnx import BioGPT, MemoryLimitError
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.decoding.batching import loop
from biogpt_onnx.server.service import Service
from makers.asgi import Reply, ask

LONG = {"prompt": "Aspirin inhibits", "max_tokens": 300, "temperature": 0, "ignore_eos": True}
NEW = {"prompt": "Insulin is", "max_tokens": 20, "temperature": 0}


async def one_after_the_other(app: ASGIApp, service: Service, second: dict[str, Any]) -> tuple[Reply, Reply]:
    """Sends a second request when the first is being continued."""
    first = asyncio.create_task(ask(app, "POST", "/v1/completions", LONG))
    while service.model.cache_usage == 0:  # noqa: ASYNC110 -- there is no event for it
        await asyncio.sleep(0.001)
    return await ask(app, "POST", "/v1/completions", second), await first


@pytest.mark.parametrize("stream", [False, True])
def test_the_request_that_came_last_is_to_try_again_and_the_other_is_answered_as_alone(
    app: ASGIApp,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    stream: bool,  # noqa: FBT001 -- a case
) -> None:
    alone = [asyncio.run(ask(app, "POST", "/v1/completions", each)) for each in (LONG, NEW)]
    forward = DecoderSession.forward_steps

    def scarce(
        session: DecoderSession, ids: npt.NDArray[np.int64], cache: KeyValueCache, **more: Any
    ) -> npt.NDArray[np.float32]:
        if len(ids) > 1:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 4096")
        return forward(session, ids, cache, **more)

    with monkeypatch.context() as patched:
        patched.setattr(DecoderSession, "forward_steps", scarce)
        refused, answered = asyncio.run(one_after_the_other(app, service, NEW | {"stream": stream}))
    if stream and refused.status == 200:
        # Its answer had begun, with the token after the prompt.
        error = refused.events[-2]["error"]
        assert refused.events[-1] == "[DONE]"
    else:
        error = refused.json["error"]
        assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    assert error["code"] == "memory"
    assert error["message"].startswith("the server's memory is full: try again later")
    assert answered.json["choices"] == alone[0].json["choices"]
    assert service.admission.used == 0
    # Once there is memory again, it is answered.
    again = asyncio.run(ask(app, "POST", "/v1/completions", NEW))
    assert again.json["choices"] == alone[1].json["choices"]


def test_a_prompt_for_which_there_is_no_room_waits_until_there_is(
    app: ASGIApp, service: Service, mini: BioGPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = asyncio.run(ask(app, "POST", "/v1/completions", NEW))
    was_refused: list[bool] = []

    def check(_tokens: object) -> None:
        if service.model.cache_usage > 0 and service.model.num_running:
            was_refused.append(True)
            raise MemoryLimitError("a cache for 4 tokens does not fit")

    monkeypatch.setattr(mini._opened, "check_room", check)
    waited, _ = asyncio.run(one_after_the_other(app, service, NEW))
    assert was_refused
    assert waited.json["choices"] == alone.json["choices"]


@pytest.mark.parametrize(("error", "code"), [(MemoryError(), "memory"), (KeyError("a bug"), "internal")])
def test_a_server_whose_loop_has_failed_answers_the_next_request(
    app: ASGIApp, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    alone = asyncio.run(ask(app, "POST", "/v1/completions", NEW))

    def fail(_view: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(loop, "next_action", fail)
        for _ in range(2):
            refused = asyncio.run(ask(app, "POST", "/v1/completions", NEW))
            assert refused.json["error"]["code"] == code
            assert refused.status == (503 if code == "memory" else 500)
            assert ("retry-after" in refused.headers) == (code == "memory")
    again = asyncio.run(ask(app, "POST", "/v1/completions", NEW))
    assert again.json["choices"] == alone.json["choices"]
