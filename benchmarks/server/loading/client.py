"""The client of servers that speak OpenAI's /v1/completions, in a process of its own.

It shares the server's cores, as a client on the same machine does, so it is kept light, and says what it took.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from benchmarks.server.loading.http_exchange import Exchange
from benchmarks.server.loading.load import Ask, RequestError, Tick, run_all, run_beside_reading, run_load
from benchmarks.server.loading.workload import Request
from benchmarks.serving import Handlers, serve


def completions(port: int, fields: Mapping[str, object]) -> Ask:
    """Returns what asks a server for streamed completions.

    Args:
        port: of the server, on this machine.
        fields: of each request, besides prompt and number of tokens.
    """

    async def ask(request: Request, tick: Tick) -> int:
        body = {
            **fields,
            "prompt": request.prompt,
            "max_tokens": request.new_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        written = 0
        async with Exchange(port, "POST", "/v1/completions", body) as exchange:
            if exchange.status != 200:  # noqa: PLR2004 -- what a good answer has
                raise RequestError(f"status {exchange.status}")
            async for event in exchange.events():
                if "error" in event:
                    raise RequestError("error in the stream")
                usage = event.get("usage")
                if usage:
                    written = usage["completion_tokens"]
                if any(_brings_a_token(choice) for choice in event.get("choices") or ()):
                    tick(1)
        return written

    return ask


def _brings_a_token(choice: Mapping[str, Any]) -> bool:
    # A last chunk may say nothing but why the text ended.
    return bool(choice.get("text")) or not choice.get("finish_reason")


def _load() -> tuple[Mapping[str, object], Handlers]:
    def load(port: int, fields: Mapping[str, object], load: dict[str, Any]) -> Mapping[str, object]:
        return asyncio.run(run_load(completions(port, fields), load))

    def all_of(port: int, fields: Mapping[str, object], **settings: Any) -> Mapping[str, object]:  # noqa: ANN401 -- of run_all
        return asyncio.run(run_all(completions(port, fields), **settings))

    def beside_reading(port: int, fields: Mapping[str, object], **settings: int) -> Mapping[str, object]:
        return asyncio.run(run_beside_reading(completions(port, fields), **settings))

    def model(port: int) -> Mapping[str, object]:
        return {"model": asyncio.run(_first_model(port))}

    return {}, {"load": load, "all_of": all_of, "beside_reading": beside_reading, "model": model}


async def _first_model(port: int) -> str:
    async with Exchange(port, "GET", "/v1/models") as exchange:
        return str((await exchange.json())["data"][0]["id"])


if __name__ == "__main__":
    serve(_load)
