"""The server as a process: addresses, keys, TLS, slow clients, and an end that loses no work."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from makers.serving import KEY, Process

LONG = {"prompt": "Aspirin inhibits", "max_tokens": 900, "temperature": 0, "ignore_eos": True}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the signals are those of POSIX")


@contextmanager
def streaming(server: Process) -> Iterator[http.client.HTTPResponse]:
    """A long text that has begun."""
    connection = server.connect()
    try:
        connection.request(
            "POST", "/v1/completions", json.dumps(LONG | {"stream": True}), {"Content-Type": "application/json"}
        )
        reply = connection.getresponse()
        assert reply.readline().startswith(b"data: ")
        yield reply
    finally:
        connection.close()


def test_the_log_has_a_line_for_each_request_and_no_text(serve: Callable[..., Process]) -> None:
    server = serve("--log-format", "json", "--model-name", "of-the-house")
    status, answer = server.ask("POST", "/v1/completions", {"prompt": "zzsecretzz inhibits"}, X_Request_Id="id-1")
    assert (status, answer["model"]) == (200, "of-the-house")
    assert server.ask("GET", "/zzsecretzz?zzsecretzz")[0] == 404
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    records = [json.loads(line) for line in server.log]
    first, second = (record for record in records if record["message"] == "request")
    assert (first["request_id"], first["handler"], first["status"]) == ("id-1", "/v1/completions", 200)
    assert first["new_tokens"] == answer["usage"]["completion_tokens"]
    assert (second["handler"], second["status"]) == ("none", 404)
    assert "zzsecretzz" not in " ".join(server.log)


def test_what_runs_is_finished_before_the_end(serve: Callable[..., Process]) -> None:
    server = serve()
    with streaming(server) as reply:
        server.send(signal.SIGTERM)
        server.wait_for("sequences that are finished first: 1")
        lines = [line for line in reply.read().decode().split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    assert json.loads(lines[-2].removeprefix("data: "))["choices"][0]["finish_reason"] == "length"
    assert server.wait() == 0


def test_what_is_not_finished_in_time_is_ended(serve: Callable[..., Process]) -> None:
    server = serve("--drain-seconds", "0.05")
    with streaming(server) as first:
        server.send(signal.SIGTERM)
        # The empty line behind the first event may be all that comes before the last one.
        lines = [line.strip() for line in first.read().decode().split("\n\n") if line.strip()]
    assert lines[-1] == "data: [DONE]"
    assert json.loads(lines[-2].removeprefix("data: "))["choices"][0]["finish_reason"] == "time"
    assert server.wait() == 0


def test_a_second_signal_ends_at_once(serve: Callable[..., Process]) -> None:
    server = serve()
    with streaming(server):
        server.send(signal.SIGTERM)
        server.wait_for("ending:")
        server.send(signal.SIGTERM)
        assert server.wait() == 128 + signal.SIGTERM


def test_ctrl_c_ends_it_like_the_signal_to_end(serve: Callable[..., Process]) -> None:
    server = serve()
    server.send(signal.SIGINT)
    assert server.wait() == 0


def test_keys_are_needed_but_for_the_health_checks(serve: Callable[..., Process], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.touch(mode=0o600)
    keys.write_text(KEY)
    server = serve("--api-key-file", str(keys))
    assert server.ask("GET", "/health")[0] == 200
    assert server.ask("GET", "/ready")[0] == 200
    for path in ("/v1/models", "/metrics", "/load", "/none", "/health/", "//health", "/health?x", "/HEALTH"):
        expected = 200 if path == "/health?x" else 401
        assert server.ask("GET", path)[0] == expected, path
    assert server.ask("GET", "/v1/models", Authorization=f"Bearer {KEY}")[0] == 200
    keys.write_text("another-key-0123456789")
    server.send(signal.SIGHUP)
    server.wait_for("the keys were read again")
    assert server.ask("GET", "/v1/models", Authorization=f"Bearer {KEY}")[0] == 401
    keys.write_text("")
    server.send(signal.SIGHUP)
    server.wait_for("the keys stay as they are")
    assert server.ask("GET", "/v1/models", Authorization="Bearer another-key-0123456789")[0] == 200


def test_a_server_without_keys_goes_on_after_the_signal_to_read_them(serve: Callable[..., Process]) -> None:
    """As a hang-up of the terminal, or a service manager that reloads all that it runs; it would end the process."""
    server = serve()
    server.send(signal.SIGHUP)
    assert server.ask("GET", "/health")[0] == 200
    server.send(signal.SIGTERM)
    assert server.wait() == 0


def test_another_name_of_the_server_is_refused(serve: Callable[..., Process]) -> None:
    server = serve("--allow-host", "model.example")
    assert server.ask("GET", "/health", Host="model.example")[0] == 200
    status, answer = server.ask("GET", "/health", Host="evil.example")
    assert (status, answer["error"]["code"]) == (400, "host_not_allowed")


def test_a_socket_of_the_file_system(serve: Callable[..., Process], tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = serve("--unix-socket", str(path))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET /health HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    assert not path.exists()


def test_tls(serve: Callable[..., Process], tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    try:
        subprocess.run(
            [*command, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    server = serve("--certificate", str(certificate), "--key", str(key))
    context = ssl.create_default_context(cafile=str(certificate))
    connection = http.client.HTTPSConnection("localhost", server.port, context=context, timeout=60)
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    connection.close()


def test_slow_clients_are_cut_off(serve: Callable[..., Process]) -> None:
    server = serve("--receive-seconds", "0.3")
    address = ("127.0.0.1", server.port)
    with socket.create_connection(address, 30) as silent:
        assert silent.recv(100) == b""
    with socket.create_connection(address, 30) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost:")
        assert slow.recv(100) == b""
    with socket.create_connection(address, 30) as slow:
        slow.sendall(
            b"POST /tokenize HTTP/1.1\r\nHost:localhost\r\nContent-Length: 9\r\nContent-Type: application/json\r\n\r\n{"
        )
        assert b" 408 " in slow.recv(1000)


def test_large_and_many_requests_are_refused(serve: Callable[..., Process]) -> None:
    server = serve("--max-connections", "3", "--max-header-bytes", "2000", "--max-body-bytes", "500")
    address = ("127.0.0.1", server.port)
    with socket.create_connection(address, 30) as large:
        large.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 5000 + b"\r\n\r\n")
        assert b" 431 " in large.recv(1000)
    with socket.create_connection(address, 30) as large:
        large.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000)
        assert b" 400 " in large.recv(1000)
    assert server.ask("POST", "/tokenize", {"prompt": "x" * 1000})[0] == 413
    connections = [socket.create_connection(address, 30) for _ in range(3)]
    with socket.create_connection(address, 30) as one_more:
        assert b" 503 " in one_more.recv(1000)
    for connection in connections:
        connection.close()
    assert server.ask("GET", "/health")[0] == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "give --api-key-file"),  # noqa: S104 -- it is refused
        (["--certificate", "none.pem"], "TLS needs both"),
        (["--certificate", "none.pem", "--key", "none.pem"], "none.pem: No such file"),
        (["--certificate", __file__, "--key", __file__], "no certificate and its key"),
        (["--api-key-file", "none"], "cannot be read"),
        (["--max-rows", "0"], "max_rows"),
        (["--max-prompts", "100"], "max_prompts is 100"),
        (["--answer-seconds", "nan"], "answer_seconds"),
        (["--port", "99999"], "port"),
        (["--model-name", " "], "model_name is empty"),
    ],
)
def test_bad_options_are_one_line(mini_bundle: Path, options: list[str], message: str) -> None:
    command = [sys.executable, "-m", "biogpt_onnx", "serve", str(mini_bundle), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=os.environ)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
