"""The HTTP protocol with bounds that uvicorn leaves open: a time for a request's headers, and connections at a time."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from biogpt_onnx.server.settings import ServerSettings

_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 2\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
_BUSY_BODY = (
    b'{"error":{"message":"too many connections: try again later","type":"server_error","param":null,'
    b'"code":"too_many_connections"}}'
)


def bounded_protocol(settings: ServerSettings) -> type[asyncio.Protocol]:
    """Returns the protocol of a server's connections.

    A connection over which no request has come, with all its headers, within `receive_seconds` is closed.
    """

    class BoundedProtocol(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its base
            super().connection_made(transport)
            if len(self.connections) > settings.max_connections:
                transport.write(_BUSY % (len(_BUSY_BODY), _BUSY_BODY))
                transport.close()
                return
            self._begin_timer()

        def connection_lost(self, exc: Exception | None) -> None:
            self._end_timer()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._end_timer()
            elif self._timer is None and not self.transport.is_closing():
                self._begin_timer()

        def _begin_timer(self) -> None:
            self._timer = self.loop.call_later(settings.receive_seconds, self.transport.close)

        def _end_timer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    protocol: Any = BoundedProtocol
    bounded: type[asyncio.Protocol] = protocol
    return bounded
