"""The gate before all endpoints: gives each request its id, and lets in whom the server knows."""

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
from biogpt_onnx.server.security.keys import ApiKeys
from biogpt_onnx.server.service import Service

OPEN_PATHS = frozenset({"/health", "/ready"})
"""Paths that need no key, beside those of the page, whose files hold nothing of anybody."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY_HEADERS: Mapping[str, str] = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class Gate:
    """The application before all others.

    Args:
        app: the application that answers those who are let in.
        service: what endpoints share.
        keys: keys of clients; None if no key is needed.
        hosts: names by which the server may be called.
        open_paths: paths that need no key.
    """

    def __init__(
        self, app: ASGIApp, service: Service, keys: ApiKeys | None, hosts: HostNames, open_paths: frozenset[str]
    ) -> None:
        self._app, self._service, self._keys, self._hosts, self._open_paths = app, service, keys, hosts, open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        outcome = Outcome(given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex, scope["method"])
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
            refusal = self._refusal(scope["path"], headers)
            if refusal is None:
                await self._app(scope, receive, send_noted)
            else:
                await send_content(error_content(refusal), send_noted)
        finally:
            self._service.metrics.note_request(outcome)
            log_request(outcome)

    def _refusal(self, path: str, headers: Headers) -> ApiError | None:
        if not self._hosts.accepts(headers.get("host")):
            return ApiError(
                400,
                "the server is not called by this name: start it with --allow-host NAME to allow one",
                code="host_not_allowed",
            )
        if self._keys is None or path in self._open_paths or self._keys.accepts(headers.get("authorization")):
            return None
        return ApiError(
            401,
            "a valid key is missing: send the header Authorization: Bearer KEY",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )
