"""Calls of an ASGI application without a network: whole, streamed, or left by the client."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

JSON = {"content-type": "application/json"}


@dataclass
class Reply:
    """What an application answered."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The objects of the server-sent events; the last is the text [DONE]."""
        datas = [line.removeprefix("data: ") for line in self.body.decode().split("\n\n") if line]
        return [data if data == "[DONE]" else json.loads(data) for data in datas]


async def ask(  # noqa: PLR0913 -- the parts of a request
    app: ASGIApp,
    method: str,
    path: str,
    content: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    leaves: Callable[[Reply], bool] | asyncio.Event | None = None,
) -> Reply:
    """Asks an application.

    Args:
        content: object that is sent as JSON; None for no body.
        body: bytes that are sent instead.
        leaves: event at which the client leaves, or a function that says so after each part of the answer.
    """
    sent = {"host": "localhost"} | (JSON if content is not None or body is not None else {}) | dict(headers or {})
    data = body if body is not None else (b"" if content is None else json.dumps(content).encode())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
        "state": {},
    }
    reply, left = Reply(), leaves if isinstance(leaves, asyncio.Event) else asyncio.Event()
    messages: list[Message] = [{"type": "http.request", "body": data, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        elif not left.is_set():
            reply.parts.append(message.get("body", b""))
        if callable(leaves) and leaves(reply):
            left.set()

    await app(scope, receive, send)
    return reply
