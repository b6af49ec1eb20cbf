"""The gate before all else: gives each request its id, and lets in those that call the server by its name."""

import re
import uuid
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from biogpt_onnx.server.http.endpoint import error_content, send_content
from biogpt_onnx.server.http.errors import ApiError
from biogpt_onnx.server.observation.outcome import Outcome
from biogpt_onnx.server.observation.request_log import log_request
from biogpt_onnx.server.security.hosts import HostNames
from biogpt_onnx.server.service import Service

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Of any other word that a client may send for a method, there would be a metric each.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_SECURITY_HEADERS: Mapping[str, str] = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class Gate:
    """The application before all others.

    Args:
        app: the application that answers those who are let in.
        service: what endpoints share.
        hosts: names by which the server may be called.
    """

    def __init__(self, app: ASGIApp, service: Service, hosts: HostNames) -> None:
        self._app, self._service, self._hosts = app, service, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        outcome = Outcome(given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex, method)
        scope.setdefault("state", {})["outcome"] = outcome

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                outcome.status = message["status"]
                added = MutableHeaders(scope=message)
                added["X-Request-Id"] = outcome.request_id
                for name, value in _SECURITY_HEADERS.items():
                    added.setdefault(name, value)
            await send(message)

        try:
            refusal = self._refusal(scope, headers)
            if refusal is None:
                await self._app(scope, receive, send_noted)
            else:
                await send_content(error_content(refusal), send_noted)
        finally:
            self._service.metrics.note_request(outcome)
            log_request(outcome)

    def _refusal(self, scope: Scope, headers: Headers) -> ApiError | None:
        malformed = _malformed(scope, headers, self._service.settings.max_header_bytes)
        if malformed is not None:
            return malformed
        if self._hosts.accepts(headers.get("host")):
            return None
        return ApiError(
            400,
            "the server is not called by this name: start it with --allow-host NAME to allow one",
            code="host_not_allowed",
        )


def _malformed(scope: Scope, headers: Headers, most_bytes: int) -> ApiError | None:
    if _header_bytes(scope) > most_bytes:
        return ApiError(
            431, f"the request's line and headers have more than {most_bytes:,} bytes", code="large_headers"
        )
    if "transfer-encoding" in headers and "content-length" in headers:
        # A proxy before the server may end the body elsewhere, and what follows would be a request of somebody's.
        return ApiError(
            400,
            "the request has both a Content-Length and a Transfer-Encoding: send one of them",
            code="malformed_request",
            headers={"Connection": "close"},
        )
    return None


def _header_bytes(scope: Scope) -> int:
    """Returns the bytes of a request's line and headers; h11 bounds only those that come in several parts."""
    line = len(scope.get("raw_path", b"")) + len(scope["query_string"])
    return line + sum(len(name) + len(value) for name, value in scope["headers"])
