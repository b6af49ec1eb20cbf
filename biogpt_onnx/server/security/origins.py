"""The origins whose pages may call the server from a browser."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send


class AllowedOrigins:
    """An application that pages of some origins may call; for all others it is as if there were no such origins.

    A browser asks before it sends what a page wants to send, and without the client's key. Pages of the allowed origins
    are answered; the question of any other page is a request like any other, which needs a key.

    Args:
        app: the application.
        origins: origins such as "https://intranet.example"; "*" allows all.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app, self._origins = app, frozenset(origins)
        self._for_pages = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
            expose_headers=["X-Request-Id", "Retry-After"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        origin = Headers(scope=scope).get("origin")
        is_allowed = origin is not None and not self._origins.isdisjoint((origin, "*"))
        await (self._for_pages if is_allowed else self._app)(scope, receive, send)
