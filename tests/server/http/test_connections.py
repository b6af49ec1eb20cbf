"""Connections as clients, proxies and attackers make them: each request is read as one, or the connection ends."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from makers.serving import KEY, Process

HOST = b"Host: localhost\r\n"
JSON = HOST + b"Content-Type: application/json\r\n"
BODY = b'{"prompt": "Aspirin"}'
HEALTH = b"GET /health HTTP/1.1\r\n" + HOST


@pytest.fixture(scope="module")
def server(mini_bundle: Path) -> Iterator[Process]:
    process = Process(mini_bundle, "--receive-seconds", "2", "--max-body-bytes", "2000")
    yield process
    assert not [line for line in process.log if "Traceback" in line or "ERROR" in line]
    assert process.ask("GET", "/health")[0] == 200
    process.kill()


@pytest.fixture(scope="module")
def locked(mini_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server that asks for a key."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.touch(mode=0o600)
    keys.write_text(KEY)
    process = Process(mini_bundle, "--receive-seconds", "2", "--api-key-file", str(keys))
    yield process
    assert not [line for line in process.log if "Traceback" in line or "ERROR" in line]
    process.kill()


@contextmanager
def connected(server: Process) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        yield connection


def post(path: bytes, body: bytes, more: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"POST %s HTTP/%s\r\n%s%sContent-Length: %d\r\n\r\n%s" % (path, version, JSON, more, len(body), body)


def read_all(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def read_one(connection: socket.socket) -> bytes:
    """One answer, to its last byte."""
    answer = b""
    while not (head := re.search(rb"content-length: (\d+)\r\n(?:.*\r\n)*?\r\n", answer, re.IGNORECASE)):
        answer += received(connection)
    while len(answer) < head.end() + int(head[1]):
        answer += received(connection)
    return answer


def received(connection: socket.socket) -> bytes:
    part = connection.recv(65536)
    assert part, "the server has closed the connection"
    return part


def exchange(server: Process, *parts: bytes, ends: bool = True) -> bytes:
    """Sends bytes, and returns all that comes back until the server closes the connection.

    Args:
        ends: True to say that nothing more will be sent.
    """
    with connected(server) as connection:
        for part in parts:
            connection.sendall(part)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def test_requests_in_a_row_are_answered_in_a_row(server: Process) -> None:
    sent = HEALTH + b"\r\n" + post(b"/tokenize", BODY) + b"GET /none HTTP/1.1\r\n" + HOST + b"\r\n"
    answer = exchange(server, sent + HEALTH + b"Connection: close\r\n\r\n", ends=False)
    assert statuses(answer) == [200, 200, 404, 200]


@pytest.mark.parametrize(
    "refused",
    [
        b"GET /none HTTP/1.1\r\n" + HOST + b"\r\n",
        post(b"/tokenize", b"{"),
        post(b"/tokenize", b"{}"),
        post(b"/health", BODY),
        post(b"/v1/models", BODY),
        b"GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        post(b"/tokenize", BODY).replace(b"application/json", b"text/plain"),
    ],
)
def test_a_connection_goes_on_after_an_error(server: Process, refused: bytes) -> None:
    answer = exchange(server, refused, HEALTH + b"Connection: close\r\n\r\n", ends=False)
    first, second = statuses(answer)
    assert 400 <= first < 500
    assert second == 200


def test_a_body_that_nobody_asked_for_is_not_the_next_request(server: Process) -> None:
    inner = HEALTH.replace(b"/health", b"/v1/models") + b"\r\n"
    sent = b"GET /health HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s" % (HOST, len(inner), inner)
    answer = exchange(server, sent, HEALTH + b"Connection: close\r\n\r\n", ends=False)
    assert statuses(answer) == [200, 200]
    assert b'"data"' not in answer


def test_a_body_that_comes_behind_the_answer_is_passed_over(locked: Process) -> None:
    with connected(locked) as connection:
        connection.sendall(post(b"/tokenize", BODY)[: -len(BODY)])
        assert statuses(read_one(connection)) == [401]
        connection.sendall(BODY)
        connection.sendall(HEALTH + b"Connection: close\r\n\r\n")
        assert statuses(read_all(connection)) == [200]


def test_a_body_that_never_ends_behind_the_answer_does_not_hold_the_connection(locked: Process) -> None:
    with connected(locked) as connection:
        connection.sendall(b"POST /tokenize HTTP/1.1\r\n%sContent-Length: 1000000000\r\n\r\n" % JSON)
        assert statuses(read_one(connection)) == [401]
        connection.settimeout(0.2)
        assert drips_until_closed(connection)


def drips_until_closed(connection: socket.socket) -> bool:
    """Sends byte after byte; returns True once the server has closed the connection."""
    for _ in range(100):
        try:
            connection.sendall(b"x")
            if not connection.recv(1):
                return True
        except ConnectionError:
            return True
        except TimeoutError:
            continue
    return False


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Content-Length: 21\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nX",
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Content-Length: 21\r\nContent-Length: 5\r\n\r\n" + BODY,
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Content-Length: 21, 5\r\n\r\n" + BODY,
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Content-Length: +21\r\n\r\n" + BODY,
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Content-Length: -1\r\n\r\n" + BODY,
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Content-Length : 21\r\n\r\n" + BODY,
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: identity\r\n\r\n" + BODY,
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\n",
        b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET  /health HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /hea\x00lth HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /h\xc3\xa4lth HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /health HTTP/1.1\r\n" + HOST + b"X: a\r\n b: folded\x00\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
    ],
)
def test_what_can_be_read_in_two_ways_ends_the_connection(server: Process, sent: bytes) -> None:
    """A second request behind it is never answered: a proxy before the server may have seen none there."""
    with connected(server) as connection:
        connection.sendall(sent + HEALTH + b"\r\n")
        answer = read_all(connection)
    assert statuses(answer) == [400]
    head, _, body = answer.partition(b"\r\n\r\n")
    error = json.loads(body)["error"]
    assert error["type"] == "invalid_request_error"
    assert b"application/json" in head


def test_a_wrong_chunk_behind_the_answer_ends_the_connection(locked: Process) -> None:
    with connected(locked) as connection:
        connection.sendall(b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n")
        assert statuses(read_one(connection)) == [401]
        connection.sendall(b"zz\r\n" + HEALTH + b"\r\n")
        assert read_all(connection) == b""


def test_a_body_may_come_in_chunks(server: Process) -> None:
    head = b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:7], BODY[7:])]
    answer = exchange(server, head, *chunks, b"0\r\n\r\n", ends=False)
    assert statuses(answer) == [200]


def test_a_body_in_chunks_is_bounded(server: Process) -> None:
    head = b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = exchange(server, head, b"fff\r\n" + b"x" * 0xFFF + b"\r\n", ends=False)
    assert statuses(answer) == [413]


def test_the_same_length_twice_is_one_length(server: Process) -> None:
    more = b"Content-Length: %d\r\nConnection: close\r\n" % len(BODY)
    assert statuses(exchange(server, post(b"/tokenize", BODY, more), ends=False)) == [200]


def test_http_1_0_is_answered_and_ended(server: Process) -> None:
    answer = exchange(server, post(b"/tokenize", BODY, version=b"1.0"), ends=False)
    assert statuses(answer) == [200]
    stream = b'{"prompt": "Aspirin", "max_tokens": 3, "stream": true}'
    answer = exchange(server, post(b"/v1/completions", stream, version=b"1.0"), ends=False)
    assert statuses(answer) == [200]
    assert b"chunked" not in answer.partition(b"\r\n\r\n")[0].lower()
    assert answer.endswith(b"data: [DONE]\n\n")


def test_who_asks_before_sending_is_told_to_go_on(server: Process) -> None:
    with connected(server) as connection:
        connection.sendall(post(b"/tokenize", BODY, b"Expect: 100-continue\r\nConnection: close\r\n")[: -len(BODY)])
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(BODY)
        assert statuses(read_all(connection)) == [200]


@pytest.mark.parametrize("length", [b"21", b"1000000"])
def test_who_asks_before_sending_is_refused_without_sending(locked: Process, length: bytes) -> None:
    head = b"POST /tokenize HTTP/1.1\r\n" + JSON + b"Expect: 100-continue\r\nContent-Length: " + length + b"\r\n\r\n"
    with connected(locked) as connection:
        connection.sendall(head)
        assert statuses(read_one(connection)) == [401]


def test_a_client_that_hangs_up_in_the_middle_is_no_fault(server: Process) -> None:
    for sent in (HEALTH, post(b"/tokenize", BODY)[:-3], post(b"/v1/completions", BODY)):
        with connected(server) as connection:
            connection.sendall(sent)
    assert server.ask("GET", "/health")[0] == 200


@pytest.mark.parametrize("path", [b"/health", b"/v1/models", b"/metrics", b"/none", b"/tokenize"])
def test_head_is_get_without_a_body(server: Process, path: bytes) -> None:
    request = b" %s HTTP/1.1\r\n%sConnection: close\r\n\r\n" % (path, HOST)
    answer, whole = (exchange(server, method + request, ends=False) for method in (b"HEAD", b"GET"))
    assert statuses(answer) == statuses(whole)
    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length: " in answer.lower()
    assert len(whole) > len(answer)
