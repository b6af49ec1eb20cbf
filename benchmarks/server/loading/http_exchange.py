"""HTTP/1.1 over asyncio's streams, as little as a client needs that shares its cores with the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

from benchmarks.server.loading.load import RequestError

_EVENT = b"data:"
_END = b"[DONE]"
_HEAD_BYTES = 65_536


class Exchange:
    """A request on a connection of its own, and its answer as it comes.

    Use it as a context; leaving it closes the connection, whatever is still to come.

    Args:
        port: of the server, on this machine.
        method: such as "POST".
        path: with the query.
        body: of the request; bytes go as they are, anything else as JSON.
        headers: besides those that every request has.

    Attributes:
        status: of the answer, once the context is entered.
        headers: of the answer, names in lower case.

    Raises:
        RequestError: the connection failed, or what came is no HTTP.
    """

    def __init__(
        self, port: int, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self._port = port
        self.message = request_bytes(port, method, path, body, headers)
        self.status = 0
        self.headers: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        try:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2 * _HEAD_BYTES)
        except OSError as error:
            raise RequestError("connection refused") from error
        try:
            self._writer.write(self.message)
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self._writer.close()
            raise RequestError("connection lost") from error
        except BaseException:
            self._writer.close()
            raise
        lines = head.decode("latin-1").split("\r\n")
        try:
            self.status = int(lines[0].split(" ", 2)[1])
        except (IndexError, ValueError) as error:
            self._writer.close()
            raise RequestError("no HTTP") from error
        pairs = (line.partition(":") for line in lines[1:] if line)
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yields the body as it comes, in pieces of any size.

        Raises:
            RequestError: the connection ended before the body did.
        """
        try:
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                while length := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
                    yield (await self._reader.readexactly(length + 2))[:-2]
                await self._reader.readuntil(b"\r\n")
            elif "content-length" in self.headers:
                yield await self._reader.readexactly(int(self.headers["content-length"]))
            else:
                while piece := await self._reader.read(_HEAD_BYTES):
                    yield piece
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise RequestError("connection lost") from error

    async def json(self) -> Any:  # noqa: ANN401 -- whatever the server says
        """Returns the body as JSON.

        Raises:
            RequestError: it is none, or did not come whole.
        """
        body = b"".join([piece async for piece in self.pieces()])
        try:
            return json.loads(body)
        except ValueError as error:
            raise RequestError("no JSON") from error

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yields the JSON objects of an event stream up to its `[DONE]`.

        Raises:
            RequestError: an event is no JSON object, or the stream ended without `[DONE]`.
        """
        rest = b""
        async for piece in self.pieces():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if not line.startswith(_EVENT):
                    continue
                text = line[len(_EVENT) :].strip()
                if text == _END:
                    return
                try:
                    event = json.loads(text)
                except ValueError as error:
                    raise RequestError("no JSON") from error
                if not isinstance(event, dict):
                    raise RequestError("no JSON")
                yield event
        raise RequestError("stream without end")


def request_bytes(
    port: int, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """Returns a request as it goes over the wire, see `Exchange`."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    fields = {
        "Host": f"127.0.0.1:{port}",
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + content
