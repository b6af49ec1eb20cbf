"""How the server is: alive, ready, busy."""

import asyncio
from typing import Any

from starlette.types import ASGIApp

from biogpt_onnx.server.service import Service
from makers.asgi import Reply, ask

IDLE = {"server_load": 0, "running": 0, "waiting": 0, "max_rows": 4, "max_waiting": 8}


def get(app: ASGIApp, path: str) -> Reply:
    return asyncio.run(ask(app, "GET", path))


def test_a_server_that_ends_is_alive_but_not_ready(app: ASGIApp, service: Service) -> None:
    assert (get(app, "/health").json, get(app, "/ready").json) == ({"status": "ok"}, {"status": "ready"})
    service.admission.is_draining = True
    try:
        refused = get(app, "/ready")
        assert (refused.status, refused.json["error"]["code"]) == (503, "draining")
        assert int(refused.headers["retry-after"]) > 0
        assert get(app, "/health").status == 200
    finally:
        service.admission.is_draining = False


def test_the_load_counts_what_runs_and_what_waits(app: ASGIApp) -> None:
    async def watch() -> list[dict[str, Any]]:
        request = {"prompt": ["Aspirin"] * 6, "max_tokens": 400, "temperature": 0, "ignore_eos": True}
        left = asyncio.Event()
        working = asyncio.create_task(ask(app, "POST", "/v1/completions", request, leaves=left))
        seen = [IDLE]
        while seen[-1]["running"] < 4 and not working.done():
            seen.append((await ask(app, "GET", "/load")).json)
            await asyncio.sleep(0.005)
        left.set()
        await working
        # Rows that were left are freed before the next pass.
        while (await ask(app, "GET", "/load")).json != IDLE:  # noqa: ASYNC110 -- nothing tells of it
            await asyncio.sleep(0.005)
        return seen

    assert get(app, "/load").json == IDLE
    busiest = asyncio.run(watch())[-1]
    assert busiest == IDLE | {"server_load": 6, "running": 4, "waiting": 2}
