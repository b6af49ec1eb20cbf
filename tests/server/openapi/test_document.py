"""The OpenAPI document is valid, names all addresses, and says what the server answers."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

import biogpt_onnx
from biogpt_onnx.server import app as application
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.endpoints.tasks.offered import offered_tasks
from biogpt_onnx.server.openapi.document import openapi_document
from biogpt_onnx.server.security.keys import ApiKeys
from biogpt_onnx.server.security.known_clients import OPEN_PATHS
from biogpt_onnx.server.settings import ServerSettings
from biogpt_onnx.tasks import ClassificationTask
from biogpt_onnx.tasks.registry import TASK_SPECS, own_spec
from makers.asgi import Reply, ask

SETTINGS = ServerSettings(max_prompts=5, max_rows=3)
TRIAL = own_spec(ClassificationTask("trial", "this is {label}.", ("a trial", "a review"), soft_prompt_size=None))
OFFERED = {name: TASK_SPECS[name] for name in ("bc5cdr", "kd-dti", "ddi", "pubmedqa", "description")}
DOCUMENT: dict[str, Any] = openapi_document(SETTINGS, OFFERED | {"trial": TRIAL})
OPERATIONS = [
    (path, method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
]
WITH_ANSWERS = [
    (path, method, operation)
    for path, method, operation in OPERATIONS
    if "application/json" in operation["responses"].get("200", {}).get("content", {})
]


@pytest.fixture(scope="module")
def app(mini: biogpt_onnx.BioGPT) -> Iterator[ASGIApp]:
    """A server named biogpt, as in the examples, with a task of each kind."""
    service = make_service(mini, "biogpt", SETTINGS, offered_tasks(mini.manifest, [TRIAL]))
    yield create_app(service)
    service.close()


def check(value: object, schema: dict[str, Any]) -> None:
    """Checks a value against a schema of the document."""
    # Imported where it is needed: its grammars take seconds, which every process that collects tests would spend.
    jsonschema = pytest.importorskip("jsonschema")
    whole = schema | {"components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def request_schema(operation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
    return found


def answer_content(operation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = operation["responses"]["200"]["content"]["application/json"]
    return found


def test_the_document_is_valid() -> None:
    pytest.importorskip("openapi_spec_validator").validate(json.loads(json.dumps(DOCUMENT)))


def test_the_server_sends_it(app: ASGIApp) -> None:
    reply = asyncio.run(ask(app, "GET", "/openapi.json"))
    assert reply.status == 200
    assert reply.json == json.loads(json.dumps(DOCUMENT))
    assert reply.json["info"]["version"] == biogpt_onnx.__version__


def test_it_describes_all_addresses_and_no_others() -> None:
    served = {(re.sub(r":\w+}", "}", path), method.lower()) for method, path, _ in application._ROUTES}
    assert {(path, method) for path, method, _ in OPERATIONS} == served


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


def test_only_the_health_checks_need_no_key() -> None:
    assert {path for path, _, operation in OPERATIONS if operation.get("security") == []} == OPEN_PATHS


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_what_may_be_refused_is_told(path: str, method: str, operation: dict[str, Any]) -> None:
    statuses = set(operation["responses"])
    assert {"400", "500", "503"} <= statuses
    assert ("401" in statuses) == (path not in OPEN_PATHS)
    if method == "post":
        assert {"404", "408", "413", "415"} <= statuses
    for status, response in operation["responses"].items():
        assert "X-Request-Id" in response["headers"]
        if status != "200":
            assert response["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}
            assert ("Retry-After" in response["headers"]) == (status in {"429", "503"})


def test_a_task_must_be_named_where_several_can_be_meant() -> None:
    relations = request_schema(DOCUMENT["paths"]["/v1/tasks/relations"]["post"])
    assert relations["required"] == ["documents", "task"]
    assert relations["properties"]["task"]["enum"] == ["bc5cdr", "kd-dti", "ddi"]
    answers = request_schema(DOCUMENT["paths"]["/v1/tasks/answers"]["post"])
    assert answers["required"] == ["documents"]
    assert answers["properties"]["task"]["enum"] == ["pubmedqa", None]
    own: Any = openapi_document(SETTINGS, OFFERED, "ddi")
    assert request_schema(own["paths"]["/v1/tasks/relations"]["post"])["required"] == ["documents"]


def test_a_key_is_asked_for_where_one_is_needed() -> None:
    assert DOCUMENT["security"] == []
    assert openapi_document(SETTINGS, OFFERED, needs_key=True)["security"] == [{"key": []}]


def test_streams_are_told_of() -> None:
    content = DOCUMENT["paths"]["/v1/completions"]["post"]["responses"]["200"]["content"]
    assert set(content) == {"application/json", "text/event-stream"}


@pytest.mark.parametrize(
    ("path", "field", "bound", "value"),
    [
        ("/v1/tasks/relations", "documents", "maxItems", SETTINGS.max_prompts),
        ("/v1/completions", "n", "maximum", SETTINGS.max_prompts),
        ("/v1/completions", "num_beams", "maximum", SETTINGS.max_rows),
        ("/v1/tasks/descriptions", "num_beams", "maximum", SETTINGS.max_rows),
    ],
)
def test_bounds_are_the_servers(path: str, field: str, bound: str, value: int) -> None:
    properties = request_schema(DOCUMENT["paths"][path]["post"])["properties"]
    assert properties[field][bound] == value


@pytest.mark.parametrize(("path", "method", "operation"), WITH_ANSWERS)
def test_examples_fit_their_schemas(path: str, method: str, operation: dict[str, Any]) -> None:
    content = answer_content(operation)
    check(content["example"], content["schema"])
    if method == "post":
        body = operation["requestBody"]["content"]["application/json"]
        check(body["example"], body["schema"])
    assert path.startswith("/")


def send_example(app: ASGIApp, path: str, method: str, operation: dict[str, Any]) -> Reply:
    content = operation["requestBody"]["content"]["application/json"]["example"] if method == "post" else None
    return asyncio.run(ask(app, method.upper(), path.replace("{model}", "biogpt"), content))


@pytest.mark.parametrize(("path", "method", "operation"), WITH_ANSWERS)
def test_the_server_answers_the_examples_as_it_says(
    app: ASGIApp, path: str, method: str, operation: dict[str, Any]
) -> None:
    reply = send_example(app, path, method, operation)
    assert reply.status == 200, reply.body
    check(reply.json, answer_content(operation)["schema"])


def test_chats_are_refused_as_it_says(app: ASGIApp) -> None:
    reply = send_example(app, "/v1/chat/completions", "post", DOCUMENT["paths"]["/v1/chat/completions"]["post"])
    assert reply.status == 404
    check(reply.json, DOCUMENT["components"]["schemas"]["Error"])


@pytest.mark.parametrize(("path", "method", "operation"), [each for each in WITH_ANSWERS if "requestBody" in each[2]])
def test_each_field_of_a_request_is_known_to_the_server(
    app: ASGIApp, path: str, method: str, operation: dict[str, Any]
) -> None:
    example = operation["requestBody"]["content"]["application/json"]["example"]
    nothing = dict.fromkeys(request_schema(operation)["properties"]) | example
    reply = asyncio.run(ask(app, method.upper(), path, nothing))
    assert reply.status == 200, reply.body
    check(nothing, request_schema(operation))
    more = asyncio.run(ask(app, method.upper(), path, example | {"unknown": 1}))
    assert more.json["error"]["code"] == "unknown_field"
    with pytest.raises(pytest.importorskip("jsonschema").ValidationError):
        check(example | {"unknown": 1}, request_schema(operation))


def test_it_is_for_those_with_a_key(mini: biogpt_onnx.BioGPT, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("a-key-that-is-long-enough\n", encoding="utf-8")
    file.chmod(0o600)
    service = make_service(mini, "biogpt", SETTINGS)
    try:
        guarded = create_app(service, ApiKeys(file))
        for path in ("/openapi.json", "/v1/tasks"):
            refused = asyncio.run(ask(guarded, "GET", path))
            assert refused.status == 401
            check(refused.json, DOCUMENT["components"]["schemas"]["Error"])
            key = {"authorization": "Bearer a-key-that-is-long-enough"}
            assert asyncio.run(ask(guarded, "GET", path, headers=key)).status == 200
        assert asyncio.run(ask(guarded, "GET", "/openapi.json", headers=key)).json["security"] == [{"key": []}]
    finally:
        service.close()
