"""A model hub on loopback, as much of one as fetching a repository takes."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Serves one repository.

    Attributes:
        repository: "organisation/name".
        folder: its files.
        requests: every request so far, "METHOD PATH".
        agents: every User-Agent so far.
        gated: whether files are refused until access was granted.
        url: what HF_ENDPOINT must be.
    """

    def __init__(self, repository: str, folder: Path) -> None:
        self.repository = repository
        self.folder = folder
        self.requests: list[str] = []
        self.agents: set[str] = set()
        self.gated = False
        self.url = ""


@contextmanager
def serve_hub(repository: str, folder: Path) -> Iterator[FakeHub]:
    """Runs a hub in a thread."""
    hub = FakeHub(repository, folder)

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    served: FakeHub

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.served.requests.append(f"{self.command} {path}")
        self.served.agents.add(self.headers.get("User-Agent", ""))
        repository = self.served.repository
        if self.served.gated:
            self._send(HTTPStatus.FORBIDDEN, b"{}", {"X-Error-Code": "GatedRepo"})
        elif path.startswith(f"/api/models/{repository}"):
            self._answer_api(path.removeprefix(f"/api/models/{repository}").strip("/"))
        elif path.startswith(f"/{repository}/resolve/"):
            self._answer_file(*path.removeprefix(f"/{repository}/resolve/").split("/", 1))
        else:
            self._send(HTTPStatus.NOT_FOUND, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _answer_api(self, request: str) -> None:
        kind, _, revision = request.partition("/")
        if revision not in ("", "main", COMMIT):
            self._send(HTTPStatus.NOT_FOUND, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return
        files = sorted(self.served.folder.iterdir())
        content: object = {
            "id": self.served.repository,
            "sha": COMMIT,
            "siblings": [{"rfilename": file.name} for file in files],
        }
        if kind == "tree":
            content = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": _etag(file)} for file in files
            ]
        self._send(HTTPStatus.OK, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _answer_file(self, revision: str, name: str) -> None:
        file = self.served.folder / name
        if revision not in ("main", COMMIT) or not file.is_file():
            self._send(HTTPStatus.NOT_FOUND, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        self._send(HTTPStatus.OK, file.read_bytes(), {"ETag": f'"{_etag(file)}"', "X-Repo-Commit": COMMIT})

    def _send(self, status: HTTPStatus, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _etag(file: Path) -> str:
    return hashlib.sha1(file.read_bytes(), usedforsecurity=False).hexdigest()
