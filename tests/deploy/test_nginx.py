"""nginx before a server of few lines, which answers as the real one does."""

import contextlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

import pytest

from makers.deployment import DEPLOY, Serve, Tool, nginx_directives, served, unit_settings, values

CONF = DEPLOY / "nginx.conf"
SOCKET = "/run/biogpt-onnx/server.socket"
HOST = "biogpt.example.org"
WAIT = 30
"""Seconds after which a test gives up; nothing waits that long where all is well."""


class Answers(BaseHTTPRequestHandler):
    """Sends the host that was asked for, or two pieces, the second once the client has the first."""

    protocol_version = "HTTP/1.1"
    first_arrived: threading.Event

    def do_GET(self) -> None:
        if self.path != "/stream":
            self.answer(json.dumps({"host": self.headers["Host"], "path": self.path}).encode())
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"7\r\nfirst\n\n\r\n")
        self.first_arrived.wait(WAIT)
        self.wfile.write(b"8\r\nsecond\n\n\r\n0\r\n\r\n")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(json.dumps({"bytes": len(body)}).encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "a unix socket"

    def log_message(self, *_: object) -> None:
        pass


class Upstream(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@dataclass
class Nginx:
    """An nginx that runs: where it listens, and what it wrote."""

    folder: Path
    ports: dict[str, int]
    first_arrived: threading.Event

    def connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.folder / "certificate.pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", self.ports["443"], timeout=WAIT, context=context)
        # The certificate is for the name that the configuration has.
        connection.sock = context.wrap_socket(
            socket.create_connection(("127.0.0.1", self.ports["443"]), WAIT), server_hostname=HOST
        )
        return connection

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self.connect()
        connection.request(method, path, body, {"Host": HOST})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content

    def status_in_the_clear(self, port: str, method: str, path: str) -> int:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=WAIT)) as connection:
            connection.request(method, path, headers={"Host": HOST})
            return connection.getresponse().status


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def ports() -> dict[str, int]:
    return {name: free_port() for name in ("80", "443", "9464")}


@pytest.fixture
def configuration(tool: Tool, tmp_path: Path, ports: dict[str, int]) -> Path:
    """A whole configuration with ours in it, with ports and paths that a test may use."""
    made = tool(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"),
        *("-addext", f"subjectAltName=DNS:{HOST}"),
        *("-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem"),
    )
    assert made.returncode == 0, made.stderr
    text = CONF.read_text(encoding="utf-8").replace("/etc/ssl/biogpt-onnx", str(tmp_path))
    text = re.sub(r"listen \[::\].*\n", "", text.replace(SOCKET, str(tmp_path / "server.socket")))
    text = re.sub(r"listen (?:127\.0\.0\.1:)?(\d+)", lambda found: f"listen 127.0.0.1:{ports[found[1]]}", text)
    (tmp_path / "biogpt-onnx.conf").write_text(text, encoding="utf-8")
    folders = "".join(
        f"{kind}_temp_path {tmp_path / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = tmp_path / "nginx.conf"
    path.write_text(
        f"daemon off;\nmaster_process off;\npid {tmp_path}/pid;\nerror_log {tmp_path}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log {tmp_path}/access.log;\n{folders}include {tmp_path}/biogpt-onnx.conf;\n}}\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[threading.Event]:
    """A server on the socket that nginx asks; its event says that the client has the first piece of a stream."""
    arrived = threading.Event()
    handler = type("AnswersOfThisTest", (Answers,), {"first_arrived": arrived})
    with Upstream(str(tmp_path / "server.socket"), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield arrived
        server.shutdown()
        thread.join()


@pytest.fixture
def nginx(configuration: Path, ports: dict[str, int], upstream: threading.Event) -> Iterator[Nginx]:
    """The configuration at work before the little server."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    folder = configuration.parent
    with subprocess.Popen(
        [program, "-e", folder / "error.log", "-p", folder, "-c", configuration], stderr=subprocess.PIPE
    ) as process:
        running = Nginx(folder, ports, upstream)
        while process.poll() is None:
            with contextlib.suppress(OSError):
                running.connect().close()
                break
        assert process.poll() is None, (folder / "error.log").read_text()
        yield running
        process.terminate()


def test_nginx_reads_the_configuration(tool: Tool, configuration: Path) -> None:
    folder = configuration.parent
    run = tool("nginx", "-t", "-q", "-e", folder / "error.log", "-p", folder, "-c", configuration)
    assert (run.returncode, run.stderr) == (0, "")


def test_a_stream_comes_piece_by_piece(nginx: Nginx) -> None:
    with contextlib.closing(nginx.connect()) as connection:
        connection.request("GET", "/stream", headers={"Host": HOST})
        response = connection.getresponse()
        # The second piece is sent only once the first one has come through.
        assert response.readline() == b"first\n"
        nginx.first_arrived.set()
        assert response.read() == b"\nsecond\n\n"


def test_the_server_is_told_the_name_that_it_must_allow(nginx: Nginx) -> None:
    _, content = nginx.request("GET", "/v1/models")
    assert json.loads(content) == {"host": HOST, "path": "/v1/models"}


def test_metrics_and_load_are_for_this_machine_alone(nginx: Nginx) -> None:
    for path in ("/metrics", "/load"):
        assert nginx.request("GET", path)[0].status == 404
        assert nginx.status_in_the_clear("9464", "GET", path) == 200
    assert nginx.status_in_the_clear("9464", "GET", "/v1/models") == 404


def test_a_body_is_written_to_no_file_and_one_that_is_too_large_is_refused(nginx: Nginx) -> None:
    response, content = nginx.request("POST", "/v1/completions", b" " * 1_000_000)
    assert (response.status, json.loads(content)) == (200, {"bytes": 1_000_000})
    assert "buffered to a temporary file" not in (nginx.folder / "error.log").read_text()
    response, content = nginx.request("POST", "/v1/completions", b" " * 1_000_001)
    assert (response.status, json.loads(content)["error"]["type"]) == (413, "invalid_request_error")


def test_who_asks_too_often_is_told_when_to_come_again(nginx: Nginx) -> None:
    answers = [nginx.request("GET", "/v1/models") for _ in range(60)]
    refused = [(response, content) for response, content in answers if response.status == 429]
    assert refused
    for response, content in refused:
        assert response.getheader("Retry-After") == "1"
        assert json.loads(content)["error"]["type"] == "rate_limit_error"


def test_a_server_that_is_away_is_an_error_of_its_form(nginx: Nginx) -> None:
    (nginx.folder / "server.socket").unlink()
    response, content = nginx.request("GET", "/v1/models")
    assert (response.status, response.getheader("Retry-After")) == (503, "5")
    assert json.loads(content)["error"]["type"] == "server_error"


def test_nothing_that_may_hold_a_key_is_taken_in_the_clear(nginx: Nginx) -> None:
    assert nginx.status_in_the_clear("80", "POST", "/v1/completions") == 403
    assert nginx.status_in_the_clear("80", "GET", "/") == 301


def test_the_limits_of_nginx_agree_with_those_of_the_server(serve: Serve) -> None:
    root = nginx_directives(CONF)
    (server,) = (block for block in root.every("server") if any("443" in each.arguments for each in block.block))
    (command,) = values(
        unit_settings(DEPLOY / "systemd" / "biogpt-onnx.service", DEPLOY / "systemd" / "unix-socket.conf"),
        "ExecStart",
    )
    options = serve(served(command))
    assert server.value("client_max_body_size") == str(options.max_body_bytes)
    assert server.value("client_body_buffer_size") == str(options.max_body_bytes)
    for directive in ("client_header_timeout", "client_body_timeout"):
        assert float(server.value(directive).removesuffix("s")) == options.receive_seconds
    count, size = server.value("large_client_header_buffers").split()
    assert int(count) * int(size.removesuffix("k")) * 1024 == options.max_header_bytes
    (location,) = (block for block in server.block if block.name == "location" and block.arguments == ["/"])
    assert float(location.value("proxy_read_timeout").removesuffix("s")) > options.answer_seconds
    (peer,) = (each.arguments[0] for block in root.every("upstream") for each in block.block if each.name == "server")
    assert peer == f"unix:{options.unix_socket}" == f"unix:{SOCKET}"
