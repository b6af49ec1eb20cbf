"""Bodies are received within bounds, and are JSON objects or an error that says why not."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message

from biogpt_onnx.server.http.body import json_object, receive_body
from biogpt_onnx.server.http.errors import ApiError, ClientLeftError

JSON = [(b"content-type", b"application/json; charset=utf-8")]


def of(*messages: Message) -> Callable[[], Awaitable[Message]]:
    left = list(messages)

    async def receive() -> Message:
        if not left:
            await asyncio.sleep(3600)
        return left.pop(0)

    return receive


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def received(*messages: Message, headers: object = (), seconds: float = 30) -> bytes:
    scope = {"type": "http", "headers": list(headers)}  # type: ignore[call-overload]
    return asyncio.run(receive_body(scope, of(*messages), max_bytes=10, seconds=seconds))


def test_parts_are_put_together() -> None:
    assert received(part(b"12345", more=True), part(b"", more=True), part(b"67890")) == b"1234567890"


@pytest.mark.parametrize(
    ("messages", "headers"),
    [
        ([part(b"123456", more=True), part(b"78901")], []),
        ([part(b"")], [(b"content-length", b"11")]),
        ([part(b"")], [(b"content-length", b"-1")]),
        ([part(b"")], [(b"content-length", b"many")]),
    ],
)
def test_what_is_too_large_is_refused(messages: list[Message], headers: object) -> None:
    with pytest.raises(ApiError, match="larger than 10 bytes") as caught:
        received(*messages, headers=headers)
    assert caught.value.status == 413


def test_what_is_too_slow_is_refused() -> None:
    with pytest.raises(ApiError, match=r"not received within 0\.01 seconds") as caught:
        received(part(b"1", more=True), seconds=0.01)
    assert caught.value.status == 408


def test_a_client_that_leaves_is_noticed() -> None:
    with pytest.raises(ClientLeftError):
        received(part(b"1", more=True), {"type": "http.disconnect"})


@pytest.mark.parametrize("kind", [b"text/plain", b"", b"application/x-www-form-urlencoded", b"multipart/form-data"])
def test_only_json_is_read(kind: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        json_object({"type": "http", "headers": [(b"content-type", kind)]}, b"{}")
    assert caught.value.status == 415


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"1", b"null", b'"text"', b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}', b"\xff{}"),
        *(b"[" * 100_000, b'{"a":' * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b'{"a": 1,}', b"{'a': 1}"),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        json_object({"type": "http", "headers": JSON}, body)
    assert caught.value.status == 400


def test_an_object_is_read() -> None:
    assert json_object({"type": "http", "headers": JSON}, '{"a": "ä", "b": 1.5}'.encode()) == {"a": "ä", "b": 1.5}
