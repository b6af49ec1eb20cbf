"""Whatever JSON is sent anywhere, the answer is one of those that are described, and no fault of the server."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

import biogpt_onnx
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.openapi.document import openapi_document
from biogpt_onnx.server.settings import ServerSettings
from biogpt_onnx.tasks import ClassificationTask
from biogpt_onnx.tasks.registry import TASK_SPECS, own_spec
from makers.asgi import Reply, ask

SETTINGS = ServerSettings(max_rows=4, max_waiting=8, max_prompts=4, answer_seconds=1.0, max_body_bytes=20_000)
OFFERED = {name: TASK_SPECS[name] for name in ("bc5cdr", "kd-dti", "ddi", "pubmedqa", "description")}
TRIAL = own_spec(ClassificationTask("trial", "this is {label}.", ("a trial", "a review"), soft_prompt_size=None))
POSTS: dict[str, dict[str, Any]] = {
    path: item["post"]["requestBody"]["content"]["application/json"]
    for path, item in dict(openapi_document(SETTINGS, OFFERED | {"trial": TRIAL})["paths"]).items()  # type: ignore[call-overload] # a mapping
    if "post" in item
}
FIELDS = {path: sorted(content["schema"].get("properties", {"messages": {}})) for path, content in POSTS.items()}

NUMBERS = st.integers() | st.integers(-3, 70) | st.sampled_from([10**30, 10**400, 2**63]) | st.floats()
TEXTS = st.text(max_size=30) | st.sampled_from(
    ["", " ", "\ud800", "Cisplatin", "bc5cdr", "left", "windows", "</s>", "\0"]
)
PLAIN = st.none() | st.booleans() | NUMBERS | TEXTS
DOCUMENT_FIELDS = st.sampled_from(["id", "title", "text", "question", "entities", "span", "type", "concept", "1", "x"])
ANY = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(DOCUMENT_FIELDS | TEXTS, inner, max_size=5),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def app(mini: biogpt_onnx.BioGPT) -> Iterator[ASGIApp]:
    """A server whose answers take no more than a second, with tasks of all kinds."""
    service = make_service(mini, "mini", SETTINGS, OFFERED | {"trial": TRIAL})
    yield create_app(service)
    assert service.admission.used == 0
    service.close()


def check(reply: Reply, path: str, sent: object) -> None:
    """Checks that an answer is none of a fault, and that errors have OpenAI's form."""
    assert 200 <= reply.status < 500 or reply.status == 503, (path, sent, reply.body)
    assert reply.headers["x-request-id"]
    if reply.status == 200 and reply.headers["content-type"].startswith("text/event-stream"):
        *events, done = reply.events
        assert done == "[DONE]"
        answers = events
    else:
        answers = [reply.json]
    for answer in answers:
        if "error" not in answer:
            assert reply.status == 200
            continue
        assert set(answer["error"]) == {"message", "type", "param", "code"}
        assert answer["error"]["code"] != "internal", (path, sent)
        message = answer["error"]["message"]
        assert message
        assert message.isprintable()


@pytest.mark.parametrize("path", POSTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_good_request_with_some_fields_of_any_kind(app: ASGIApp, path: str, data: st.DataObject) -> None:
    fields = data.draw(st.dictionaries(st.sampled_from(FIELDS[path]), ANY, min_size=1, max_size=3))
    content = POSTS[path]["example"] | fields
    check(asyncio.run(ask(app, "POST", path, content)), path, content)


@pytest.mark.parametrize("path", [path for path in POSTS if "tasks" in path])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=st.lists(
        ANY | st.dictionaries(DOCUMENT_FIELDS, ANY, max_size=4).map(lambda more: {"text": "Cisplatin"} | more),
        min_size=1,
        max_size=4,
    ),
    given_entities=st.booleans(),
)
def test_documents_of_any_kind(app: ASGIApp, path: str, documents: list[Any], *, given_entities: bool) -> None:
    content = POSTS[path]["example"] | {"documents": documents}
    if given_entities and path.endswith("relations"):
        content |= {"given_entities": True}
    reply = asyncio.run(ask(app, "POST", path, content))
    check(reply, path, content)
    if reply.status == 200:
        assert [record["line"] for record in reply.json["records"]] == list(range(1, len(documents) + 1))


@pytest.mark.parametrize("path", POSTS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=60) | ANY.map(lambda value: json.dumps(value).encode()))
def test_bodies_of_any_kind(app: ASGIApp, path: str, body: bytes) -> None:
    check(asyncio.run(ask(app, "POST", path, body=body)), path, body)
