"""A static server, as any web server shows a packed page."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
"""Headers without which browsers give a page no threads."""


@dataclass
class Static:
    """A static server: its address, and what it was asked for, method and path."""

    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def serving_folder(folder: Path, headers: dict[str, str] | None = None) -> Iterator[Static]:
    """Serves a folder as `python -m http.server` does, at any free port, with more headers."""
    static = Static("")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            static.asked.append((self.command, self.path))

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        static.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield static
        finally:
            server.shutdown()
            thread.join()
