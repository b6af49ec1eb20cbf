"""Bodies of requests to the server, as its application gets them."""

import asyncio
import json
from pathlib import Path

from benchmarks.fuzzing import seeds
from benchmarks.fuzzing.readers import Reader
from benchmarks.processes import CHECKOUT
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.runtime.loading import load
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.openapi.document import openapi_document
from biogpt_onnx.server.settings import ServerSettings
from biogpt_onnx.tasks.registry import TASK_SPECS

_SETTINGS = ServerSettings(max_rows=2, max_waiting=4, max_prompts=4, answer_seconds=0.05, max_body_bytes=2_000_000)
_TASKS = ("bc5cdr", "ddi", "pubmedqa", "description")
_PATHS = ("/v1/completions", "/v1/choices", "/tokenize", "/detokenize")
_REFUSED = 400
_FAULT = 500
_BUSY = 503


def http_readers(place: Path) -> list[Reader]:
    """Returns a reader for the bodies of each address, all of one server with the embedded model."""
    export_bundle(open_checkpoint(CHECKOUT / "checkpoints" / "mini"), place / "mini")
    offered = {name: TASK_SPECS[name] for name in _TASKS}
    app = create_app(make_service(load(place / "mini", device="cpu"), "mini", _SETTINGS, offered))
    posts = {
        path: item["post"]["requestBody"]["content"]["application/json"]["example"]
        for path, item in dict(openapi_document(_SETTINGS, offered)["paths"]).items()  # type: ignore[call-overload] # a mapping
        if "post" in item
    }
    chosen = [path for path in posts if path in _PATHS or path.startswith("/v1/tasks/")]

    def reader(path: str) -> Reader:
        def read(data: bytes) -> str:
            status, body = asyncio.run(_ask(app, path, data))
            if status >= _FAULT and status != _BUSY:
                raise RuntimeError(f"status {status}: {body[:200]!r}")
            return "answered" if status < _REFUSED else str(json.loads(body)["error"]["message"])

        return Reader(f"body of {path}", read, (json.dumps(posts[path]).encode(),), seeds.JSON_TOKENS)

    return [reader(path) for path in chosen]


async def _ask(app: object, path: str, data: bytes) -> tuple[int, bytes]:
    sent = {"host": "localhost", "content-type": "application/json", "content-length": str(len(data))}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
        "state": {},
    }
    waiting = [{"type": "http.request", "body": data, "more_body": False}]
    status, parts = 0, []

    async def receive() -> dict[str, object]:
        if waiting:
            return waiting.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, object]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = int(str(message["status"]))
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)  # type: ignore[operator] # an ASGI application
    return status, b"".join(part for part in parts if isinstance(part, bytes))
