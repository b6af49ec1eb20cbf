"""Pages of other origins: those that are named may call the server, and no other learns a thing."""

import asyncio
import logging

import pytest
from starlette.types import ASGIApp

from biogpt_onnx.server.app import create_app
from biogpt_onnx.server.security.keys import ApiKeys
from biogpt_onnx.server.service import Service
from biogpt_onnx.server.settings import ServerSettings
from makers.asgi import Reply, ask
from makers.serving import KEY

BEARER = {"authorization": f"Bearer {KEY}"}
ORIGIN = "https://intranet.example"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}
STRANGERS = ["https://evil.example", "null", f"{ORIGIN}.evil.example", "http://intranet.example", "", "*"]


def open_to(service: Service, keys: ApiKeys | None, *origins: str) -> ASGIApp:
    settings = ServerSettings(max_rows=4, max_waiting=8, max_prompts=8, allowed_origins=origins)
    return create_app(Service(service.model, "mini", settings, service.tasks, service.metrics), keys)


@pytest.fixture
def open_to_a_page(service: Service, keys: ApiKeys) -> ASGIApp:
    """An application that a page of another origin may call."""
    return open_to(service, keys, ORIGIN)


def get(app: ASGIApp, path: str, **headers: str) -> Reply:
    return asyncio.run(ask(app, "GET", path, headers=headers))


def preflight(app: ASGIApp, **headers: str) -> Reply:
    """What a browser asks before it sends what a page wants to send."""
    return asyncio.run(ask(app, "OPTIONS", "/v1/completions", headers=PREFLIGHT | headers))


def about_origins(reply: Reply) -> list[str]:
    return [name for name in reply.headers if name.startswith("access-control-")]


def test_a_page_of_an_allowed_origin_may_ask_before_it_sends_its_key(open_to_a_page: ASGIApp) -> None:
    reply = preflight(open_to_a_page, origin=ORIGIN)
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert "authorization" in reply.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize(("headers", "status"), [(BEARER, 200), ({}, 401)])
def test_a_page_of_an_allowed_origin_may_read_answers_and_errors(
    open_to_a_page: ASGIApp, headers: dict[str, str], status: int
) -> None:
    reply = get(open_to_a_page, "/v1/models", origin=ORIGIN, **headers)
    assert reply.status == status
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert "X-Request-Id" in reply.headers["access-control-expose-headers"]
    assert "Origin" in reply.headers["vary"]


@pytest.mark.parametrize("origin", STRANGERS)
def test_a_page_of_any_other_origin_learns_nothing(open_to_a_page: ASGIApp, origin: str) -> None:
    refused = preflight(open_to_a_page, origin=origin)
    assert refused.status == 401
    assert about_origins(refused) == []
    assert about_origins(get(open_to_a_page, "/v1/models", origin=origin, **BEARER)) == []


@pytest.mark.parametrize("origins", [(ORIGIN,), ("*",)])
def test_a_name_that_leads_here_gets_no_answer_to_its_preflight(
    service: Service, keys: ApiKeys, origins: tuple[str, ...]
) -> None:
    app = open_to(service, keys, *origins)
    for reply in (
        preflight(app, origin=ORIGIN, host="evil.example"),
        get(app, "/v1/models", origin=ORIGIN, host="evil.example", **BEARER),
    ):
        assert (reply.status, reply.json["error"]["code"]) == (400, "host_not_allowed")
        assert about_origins(reply) == []


def test_a_preflight_has_an_id_and_is_logged(
    open_to_a_page: ASGIApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("biogpt_onnx.server"), "propagate", True)
    with caplog.at_level(logging.INFO, "biogpt_onnx.server"):
        reply = preflight(open_to_a_page, origin=ORIGIN)
    assert reply.headers["x-content-type-options"] == "nosniff"
    (record,) = [vars(record) for record in caplog.records if record.name == "biogpt_onnx.server"]
    assert record["fields"]["request_id"] == reply.headers["x-request-id"]
    assert record["fields"]["method"] == "OPTIONS"


def test_a_star_lets_all_pages_in(service: Service, keys: ApiKeys) -> None:
    reply = preflight(open_to(service, keys, "*"), origin="https://anywhere.example")
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, "*")


def test_no_page_of_elsewhere_may_call_unless_named(app: ASGIApp) -> None:
    asked = preflight(app, origin=ORIGIN)
    assert asked.status == 405
    assert about_origins(asked) == []
    assert about_origins(get(app, "/v1/models", origin=ORIGIN)) == []
