"""Bodies of requests: received within a time and a size, and read as a JSON object."""

import asyncio
import json
import math
from typing import NoReturn

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from biogpt_onnx.server.http.errors import ApiError, ClientLeftError

_CLOSE = {"Connection": "close"}


async def receive_body(scope: Scope, receive: Receive, *, max_bytes: int, seconds: float) -> bytes:
    """Returns a request's body.

    Args:
        scope: the request.
        receive: receives the request's messages.
        max_bytes: most bytes.
        seconds: seconds within which it must be there.

    Raises:
        ApiError: it is larger, or takes longer.
        ClientLeftError: the client has left.
    """
    declared = Headers(scope=scope).get("content-length", "0")
    if not declared.isdecimal() or int(declared) > max_bytes:
        raise _too_large(max_bytes)
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeftError
                part = message.get("body", b"")
                size += len(part)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError as error:
        raise ApiError(408, f"the request was not received within {seconds:g} seconds", headers=_CLOSE) from error


def json_object(scope: Scope, body: bytes) -> dict[str, object]:
    """Returns the JSON object that a body is.

    Only bodies that say they are JSON are read: a web page elsewhere can't send such a one unasked.

    Raises:
        ApiError: it is none, or has numbers that are no numbers.
    """
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, "send the request as JSON, with the header Content-Type: application/json")
    try:
        content = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ApiError(
            400, "the request is no JSON that can be read: check its quotes, brackets and numbers"
        ) from error
    if not isinstance(content, dict):
        raise ApiError(400, "the request must be a JSON object, with fields by name")
    return content


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError
    return value


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(413, f"the request is larger than {max_bytes:,} bytes: send less at a time", headers=_CLOSE)
