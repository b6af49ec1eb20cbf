"""The gate: who is let in, by which name and path, and what every answer carries."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from biogpt_onnx.server.app import create_app
from biogpt_onnx.server.security.keys import ApiKeys
from biogpt_onnx.server.service import Service
from makers.asgi import Reply, ask
from makers.serving import KEY, Process

BEARER = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
def locked(service: Service, keys: ApiKeys) -> ASGIApp:
    """An application that asks for a key."""
    return create_app(service, keys)


def get(app: ASGIApp, path: str, **headers: str) -> Reply:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(ask(app, "GET", path, headers=sent))


@pytest.mark.parametrize(
    "path",
    [
        "//health",
        "/health/",
        "/HEALTH",
        "/health/../v1/models",
        "/health/..%2fv1/models",
        "/ready/../metrics",
        "/./health",
        "/health;x",
        "/health\\..\\metrics",
        "/health\x00",
        "/v1/models/../../health",
        "http://localhost/health",
        "",
        "*",
        "/page.js/../v1/models",
        "/openapi.json",
        "/docs",
    ],
)
def test_no_way_of_writing_a_path_gets_past_the_key(locked: ASGIApp, path: str) -> None:
    reply = get(locked, path)
    assert (reply.status, reply.json["error"]["type"]) == (401, "authentication_error")
    assert get(locked, path, **BEARER).status in {200, 404}


def test_a_percent_encoded_path_is_the_path_that_it_means(serve_locked: Process) -> None:
    for path, status in {
        "/%68ealth": 200,
        "/health%2f": 401,
        "/health/..%2fv1/models": 401,
        "/%2e%2e/health": 401,
        "/health%00": 401,
        "/v1%2fmodels": 401,
        "/health%3fx": 401,
        "/%ff%fe": 401,
        "/health?/v1/models": 200,
    }.items():
        assert serve_locked.ask("GET", path)[0] == status, path
    for path, status in {"/v1/models": 200, "/v1/%6dodels": 200, "/health/..%2fv1/models": 404}.items():
        assert serve_locked.ask("GET", path, Authorization=BEARER["authorization"])[0] == status, path


@pytest.fixture
def serve_locked(serve: Callable[..., Process], tmp_path: Path, keys: ApiKeys) -> Process:  # noqa: ARG001 -- its file
    return serve("--api-key-file", str(tmp_path / "keys"))


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        KEY,
        f"Basic {KEY}",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY} {KEY}",
        f"Bearer {KEY}, Bearer {KEY}",
        "Bearer \xff\xfe",
    ],
)
def test_what_is_not_exactly_the_key_is_refused(locked: ASGIApp, given: str | None) -> None:
    reply = get(locked, "/v1/models", **({} if given is None else {"authorization": given}))
    assert (reply.status, reply.json["error"]["code"]) == (401, "invalid_api_key")
    assert reply.headers["www-authenticate"] == "Bearer"


def test_two_keys_are_none(serve_locked: Process) -> None:
    for second in ("Bearer wrong-key-0123456789", BEARER["authorization"]):
        connection = serve_locked.connect()
        connection.putrequest("GET", "/v1/models")
        connection.putheader("Authorization", BEARER["authorization"])
        connection.putheader("Authorization", second)
        connection.endheaders()
        assert connection.getresponse().status == 401
        connection.close()


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/metrics", "/none", "/openapi.json", "/"])
@pytest.mark.parametrize("headers", [{}, BEARER, {"host": "evil.example"}])
def test_every_answer_has_its_id_and_the_headers_of_safety(locked: ASGIApp, path: str, headers: dict[str, str]) -> None:
    reply = get(locked, path, **headers)
    assert len(reply.headers["x-request-id"]) == 32
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert "server" not in reply.headers
    assert "access-control-allow-origin" not in reply.headers
    if path != "/" or reply.status != 200:
        assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("given", ["a", "0", "id-1", "A.b_c-9", "x" * 64])
def test_a_request_keeps_the_id_that_it_brings(app: ASGIApp, given: str) -> None:
    assert get(app, "/health", x_request_id=given).headers["x-request-id"] == given


@pytest.mark.parametrize(
    "given",
    ["", " ", "x" * 65, "a b", "a\tb", "a\r\nSet-Cookie: b", "a;b", "<script>", "../../etc", "ä", "\x00", 'a"b', "a\n"],
)
def test_an_id_that_could_do_harm_is_replaced(app: ASGIApp, given: str) -> None:
    found = get(app, "/health", x_request_id=given).headers["x-request-id"]
    assert len(found) == 32
    assert found.isalnum()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/none", 404, "not_found"),
        ("POST", "/v1", 404, "not_found"),
        ("GET", "/v1/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models/mini", 405, "method_not_allowed"),
        ("PUT", "/health", 405, "method_not_allowed"),
        ("TRACE", "/health", 405, "method_not_allowed"),
        ("HEAD", "/v1/completions", 405, "method_not_allowed"),
        ("BREW", "/tokenize", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/completions", 405, "method_not_allowed"),
    ],
)
def test_wrong_addresses_and_methods_are_errors_of_openais_form(
    app: ASGIApp, method: str, path: str, status: int, code: str
) -> None:
    reply = asyncio.run(ask(app, method, path))
    assert reply.status == status
    error = reply.json["error"]
    assert (error["code"], error["type"], error["param"]) == (code, "invalid_request_error", None)
    assert "/openapi.json" in error["message"]
    assert reply.headers["content-type"] == "application/json"
    if status == 405:
        assert set(reply.headers["allow"].split(", ")) <= {"GET", "HEAD", "POST"}


def test_headers_that_are_too_large_are_refused_and_those_of_just_the_most_are_not(
    app: ASGIApp, service: Service
) -> None:
    most = service.settings.max_header_bytes
    # The path, and the names and values of the headers that are always sent.
    there = len("/health") + len("host" + "localhost") + len("x-filler")
    assert get(app, "/health", x_filler="a" * (most - there)).status == 200
    reply = get(app, "/health", x_filler="a" * (most - there + 1))
    assert (reply.status, reply.json["error"]["code"]) == (431, "large_headers")


def test_a_body_whose_end_a_proxy_may_see_elsewhere_is_refused_and_the_connection_ended(app: ASGIApp) -> None:
    headers = {"transfer-encoding": "chunked", "content-length": "2"}
    reply = asyncio.run(ask(app, "POST", "/tokenize", headers=headers, body=b"{}"))
    assert (reply.status, reply.json["error"]["code"]) == (400, "malformed_request")
    assert reply.headers["connection"] == "close"


def test_what_is_no_request_gets_no_answer(app: ASGIApp) -> None:
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> dict[str, str]:
        raise AssertionError("nothing is read")

    asyncio.run(app({"type": "websocket", "path": "/health", "headers": []}, receive, send))  # type: ignore[arg-type]
    assert sent == []
