"""The model is described as the bundle describes itself."""

import asyncio
import dataclasses
from pathlib import Path

import pytest
from starlette.types import ASGIApp

import biogpt_onnx
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.service import Service
from makers.asgi import ask


def test_the_model_is_listed_and_described(app: ASGIApp, service: Service, mini: biogpt_onnx.BioGPT) -> None:
    listed = asyncio.run(ask(app, "GET", "/v1/models"))
    (model,) = listed.json["data"]
    assert listed.json["object"] == "list"
    assert model == {
        "id": "mini",
        "object": "model",
        "created": service.created,
        "owned_by": "biogpt-onnx",
        "max_model_len": mini.manifest.architecture.max_positions,
        "precision": "fp32",
        "recipe": None,
        "batch_invariant": True,
        "quality": None,
        "tasks": sorted(service.tasks),
    }
    assert asyncio.run(ask(app, "GET", "/v1/models/mini")).json == model


@pytest.mark.parametrize("name", ["other", "mini/", "mini/x", "MINI", "..", "m%69ni"])
def test_there_is_no_other_model(app: ASGIApp, name: str) -> None:
    reply = asyncio.run(ask(app, "GET", f"/v1/models/{name}"))
    assert (reply.status, reply.json["error"]["code"]) == (404, "model_not_found")


def test_a_name_may_hold_slashes(mini: biogpt_onnx.BioGPT) -> None:
    service = make_service(mini, "microsoft/biogpt")
    try:
        assert asyncio.run(ask(create_app(service), "GET", "/v1/models/microsoft/biogpt")).status == 200
    finally:
        service.close()


def test_a_quantized_bundle_shows_its_quality(mini_bundle: Path, app: ASGIApp, service: Service) -> None:
    manifest = biogpt_onnx.load(mini_bundle).manifest
    quality = {"perplexity": {"increase": 0.001}}
    quantized = dataclasses.replace(manifest, precision="int8", recipe="int8", evaluation=quality)

    class Quantized:
        manifest = quantized

    plain, service.model = service.model, Quantized()  # type: ignore[assignment] # all that the endpoint reads
    try:
        model = asyncio.run(ask(app, "GET", "/v1/models/mini")).json
    finally:
        service.model = plain
    assert (model["precision"], model["recipe"], model["quality"]) == ("int8", "int8", quality)


@pytest.mark.parametrize("is_invariant", [True, False])
def test_it_says_whether_answers_depend_on_what_else_is_computed(
    app: ASGIApp,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    is_invariant: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(service, "is_batch_invariant", is_invariant)
    assert asyncio.run(ask(app, "GET", "/v1/models/mini")).json["batch_invariant"] is is_invariant
