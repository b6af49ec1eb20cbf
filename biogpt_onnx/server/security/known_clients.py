"""The check of keys: lets in the clients that the server knows."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from biogpt_onnx.server.http.endpoint import error_content, send_content
from biogpt_onnx.server.http.errors import ApiError
from biogpt_onnx.server.security.keys import ApiKeys

OPEN_PATHS = frozenset({"/health", "/ready"})
"""Paths that need no key, beside those of the page, whose files hold nothing of anybody."""


class KnownClients:
    """An application that only clients with a key reach, except for some paths.

    Args:
        app: the application.
        keys: keys of clients; None if no key is needed.
        open_paths: paths that need no key.
    """

    def __init__(self, app: ASGIApp, keys: ApiKeys | None, open_paths: frozenset[str]) -> None:
        self._app, self._keys, self._open_paths = app, keys, open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if self._is_known(Headers(scope=scope)) or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        error = ApiError(
            401,
            "a valid key is missing: send the header Authorization: Bearer KEY",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )
        await send_content(error_content(error), send)

    def _is_known(self, headers: Headers) -> bool:
        given = headers.getlist("authorization")
        # Of several, it can't be told which one a proxy before the server has checked.
        return self._keys is None or (len(given) == 1 and self._keys.accepts(given[0]))
