"""Endpoints: functions that answer calls, as applications of the server."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from biogpt_onnx.runtime.errors import BioGptError, ModelClosedError
from biogpt_onnx.server.admission import RETRY_SECONDS
from biogpt_onnx.server.http.call import Call
from biogpt_onnx.server.http.errors import MEMORY_IS_FULL, ApiError, ClientLeftError, internal_error
from biogpt_onnx.server.http.events import DONE, EVENT_HEADERS, EventStream, event, json_bytes
from biogpt_onnx.server.observation.outcome import Outcome
from biogpt_onnx.server.observation.request_log import log_fault
from biogpt_onnx.server.service import Service

_BUSY = (429, 503)


@dataclass(frozen=True)
class Content:
    """An answer that is not JSON, or not of status 200.

    Attributes:
        body: the bytes.
        content_type: their type.
        status: HTTP status.
        headers: further headers.
    """

    body: bytes
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] | None = None


Answer = Mapping[str, object] | EventStream | Content
Handler = Callable[[Call], Awaitable[Answer]]


class Endpoint:
    """A function that answers calls, as an application of the server.

    Args:
        service: the model and what endpoints share.
        handler: the function. A `BioGptError` of it is the client's mistake, any other error a fault of the server.
    """

    def __init__(self, service: Service, handler: Handler) -> None:
        self._service = service
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        outcome: Outcome = scope["state"]["outcome"]
        call = Call(self._service, scope, receive, outcome)
        try:
            answer = await self._handler(call)
            if isinstance(answer, EventStream):
                await self._send_events(answer, call, send)
                return
            content = _as_content(answer)
        except ClientLeftError:
            outcome.has_left = True
            return
        except Exception as error:  # noqa: BLE001 -- a fault must not end the server
            api_error = as_api_error(error, outcome)
            if api_error.status in _BUSY and api_error.code is not None:
                self._service.metrics.note_rejection(api_error.code)
            content = error_content(api_error)
        await send_content(content, send)

    async def _send_events(self, answer: EventStream, call: Call, send: Send) -> None:
        async with aclosing(answer.events) as events:
            # Made before the answer begins, so that one that cannot be written is an ordinary error.
            first = event(await anext(events))
            await _start(send, 200, EVENT_HEADERS)
            try:
                await _send_part(send, first)
                async for content in events:
                    await _send_part(send, event(content))
            except ClientLeftError:
                call.outcome.has_left = True
                return
            except Exception as error:  # noqa: BLE001 -- the answer has begun: the error is its last event
                api_error = as_api_error(error, call.outcome)
                await _send_part(send, event(api_error.body()))
            await send({"type": "http.response.body", "body": DONE})


def as_api_error(error: Exception, outcome: Outcome) -> ApiError:
    """Returns what a client is told of an error, and logs a fault of the server."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ModelClosedError):
        return ApiError(503, "the server is shutting down: try again later", code="draining", retry_after=RETRY_SECONDS)
    if isinstance(error, MemoryError):
        return ApiError(503, MEMORY_IS_FULL, code="memory", retry_after=RETRY_SECONDS)
    if isinstance(error, BioGptError):
        return ApiError(400, str(error))
    log_fault(outcome, error)
    return internal_error(outcome.request_id)


async def send_content(content: Content, send: Send) -> None:
    """Sends an answer as a whole."""
    headers = {
        "Content-Type": content.content_type,
        "Content-Length": str(len(content.body)),
        "Cache-Control": "no-store",
        **(content.headers or {}),
    }
    await _start(send, content.status, headers)
    await send({"type": "http.response.body", "body": content.body})


def error_content(error: ApiError) -> Content:
    """Returns the answer that tells of an error."""
    return Content(json_bytes(error.body()), status=error.status, headers=error.headers)


def _as_content(answer: Mapping[str, object] | Content) -> Content:
    return answer if isinstance(answer, Content) else Content(json_bytes(answer))


async def _start(send: Send, status: int, headers: Mapping[str, str]) -> None:
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def _send_part(send: Send, part: bytes) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": True})
