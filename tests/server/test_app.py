"""The application: where its page is, and what it needs no key for."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from biogpt_onnx import server
from biogpt_onnx.server.app import create_app
from biogpt_onnx.server.page.files import CONTENT_SECURITY_POLICY, PAGE_FILES
from biogpt_onnx.server.security.keys import ApiKeys
from biogpt_onnx.server.service import Service
from makers.asgi import ask


@pytest.mark.parametrize("path", PAGE_FILES)
def test_the_page_is_served_with_its_policy(app: ASGIApp, path: str) -> None:
    reply = asyncio.run(ask(app, "GET", path))
    assert (reply.status, reply.body) == (200, PAGE_FILES[path].content)
    assert reply.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    again = asyncio.run(ask(app, "GET", path, headers={"if-none-match": reply.headers["etag"]}))
    assert (again.status, again.body) == (304, b"")


def test_a_server_may_have_no_page(make_app: Callable[..., ASGIApp]) -> None:
    app = make_app(has_page=False)
    for path in PAGE_FILES:
        reply = asyncio.run(ask(app, "GET", path))
        assert (reply.status, reply.json["error"]["code"]) == (404, "not_found")


def test_the_page_needs_no_key_but_all_that_it_asks_does(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.touch(mode=0o600)
    path.write_text("a-key-of-the-tests-0123")
    app = create_app(service, ApiKeys(path))
    for address in [*PAGE_FILES, "/health", "/ready"]:
        assert asyncio.run(ask(app, "GET", address)).status == 200
    for address in ("/v1/models", "/v1/tasks", "/load", "/metrics", "/none"):
        reply = asyncio.run(ask(app, "GET", address))
        assert (reply.status, reply.json["error"]["type"]) == (401, "authentication_error")
        assert reply.headers["www-authenticate"] == "Bearer"


def test_a_name_that_the_room_lacks_is_an_error_of_the_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'create_ap'"):
        server.create_ap  # noqa: B018 -- the error is what is asked for


def test_without_the_packages_that_it_needs_the_error_says_what_to_install() -> None:
    program = (
        "import sys\nsys.modules['starlette'] = None\nfrom biogpt_onnx import BioGptError, server\n"
        "server.ServerSettings\n"
        "try:\n    server.create_app\nexcept BioGptError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout.startswith("starlette")
    assert "pip install 'biogpt-onnx[cpu,server]'" in run.stdout
