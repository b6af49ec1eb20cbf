"""The HTTP protocol with bounds that uvicorn leaves open: a time for a request's headers, and connections at a time."""

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from biogpt_onnx.server.settings import ServerSettings

_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 2\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
_MALFORMED = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
)
_MALFORMED_BODY = (
    b'{"error":{"message":"this is no HTTP request that can be read","type":"invalid_request_error","param":null,'
    b'"code":"malformed_request"}}'
)
_BUSY_BODY = (
    b'{"error":{"message":"too many connections: try again later","type":"server_error","param":null,'
    b'"code":"too_many_connections"}}'
)


def bounded_protocol(settings: ServerSettings) -> type[asyncio.Protocol]:
    """Returns the protocol of a server's connections.

    A connection over which no request has come, with all its headers, within `receive_seconds` is closed, and so is one
    over which a body still comes as long after its answer. What is no HTTP request is an error in OpenAI's form.
    """
    protocol: Any = type("BoundedProtocol", (_BoundedProtocol,), {"settings": settings})
    bounded: type[asyncio.Protocol] = protocol
    return bounded


class _BoundedProtocol(H11Protocol):
    settings: ClassVar[ServerSettings]
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its base
        super().connection_made(transport)
        if len(self.connections) > self.settings.max_connections:
            transport.write(_BUSY % (len(_BUSY_BODY), _BUSY_BODY))
            transport.close()
            return
        self._begin_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE and not self._is_answered_early():
            self._end_timer()
        elif self._timer is None and not self.transport.is_closing():
            self._begin_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_answered_early() and self._timer is None:
            self._begin_timer()

    def send_400_response(self, _msg: str) -> None:
        # Behind an answer that has begun, another one can't follow.
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.write(_MALFORMED % (len(_MALFORMED_BODY), _MALFORMED_BODY))
        self.transport.close()

    def _is_answered_early(self) -> bool:
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    def _begin_timer(self) -> None:
        self._timer = self.loop.call_later(self.settings.receive_seconds, self.transport.close)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
