"""Answers that cannot be written end as errors of the usual form, not as broken connections."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.types import ASGIApp

from biogpt_onnx import MemoryLimitError, ModelClosedError
from biogpt_onnx.runtime.results import TextPiece
from biogpt_onnx.server.observation.request_log import set_up_log
from biogpt_onnx.server.service import Service
from makers.asgi import Reply, ask

PRIVATE = "patient 4711"
UNWRITABLE = f"{PRIVATE} \ud800"


def fault(reply: Reply, caplog: pytest.LogCaptureFixture) -> str:
    """The log of a request that met a fault of the server, after checking what the client was told."""
    assert reply.status == 500
    assert reply.headers["content-type"] == "application/json"
    assert reply.json["error"]["type"] == "server_error"
    assert reply.headers["x-request-id"] in reply.json["error"]["message"]
    logged = " ".join(str(vars(record)) for record in caplog.records if record.name == "biogpt_onnx.server")
    assert PRIVATE not in logged + reply.body.decode()
    return logged


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    monkeypatch.setattr(logging.getLogger("biogpt_onnx.server"), "propagate", True)
    with caplog.at_level(logging.INFO, "biogpt_onnx.server"):
        yield caplog


def test_an_answer_that_cannot_be_written_is_a_fault_with_its_id(
    app: ASGIApp, service: Service, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(service.model.tokenizer, "decode", lambda _ids: UNWRITABLE)
    reply = asyncio.run(ask(app, "POST", "/detokenize", {"tokens": [5]}))
    logged = fault(reply, log)
    assert "UnicodeEncodeError" in logged
    assert f"'request_id': '{reply.headers['x-request-id']}'" in logged


@pytest.mark.parametrize("error", [MemoryLimitError("a cache of 4711 tokens does not fit"), MemoryError()])
def test_a_request_for_which_there_is_no_memory_is_no_mistake_of_the_client(
    app: ASGIApp, service: Service, monkeypatch: pytest.MonkeyPatch, error: MemoryError
) -> None:
    def decode(_ids: object) -> str:
        raise error

    monkeypatch.setattr(service.model.tokenizer, "decode", decode)
    reply = asyncio.run(ask(app, "POST", "/detokenize", {"tokens": [5]}))
    assert (reply.status, reply.json["error"]["code"]) == (503, "memory")
    assert int(reply.headers["retry-after"]) > 0
    assert "4711" not in reply.body.decode()


def test_a_stream_whose_first_event_cannot_be_written_is_a_fault_too(
    app: ASGIApp, service: Service, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    class Pieces:
        generations = ()

        def __iter__(self) -> Iterator[TextPiece]:
            yield TextPiece(0, 0, UNWRITABLE, (5,), None, "length")

    @contextmanager
    def pieces(*_: object, **__: object) -> Iterator[Pieces]:
        yield Pieces()

    monkeypatch.setattr(service.model, "stream_pieces", pieces)
    request = {"prompt": "Aspirin", "max_tokens": 1, "temperature": 0, "stream": True}
    assert "UnicodeEncodeError" in fault(asyncio.run(ask(app, "POST", "/v1/completions", request)), log)
    assert service.admission.used == 0


@pytest.mark.parametrize("body", [rb'{"prompt": "a", "\ud800": 1}', rb'{"prompt": "a", "model": "\ud800"}'])
def test_an_error_names_even_fields_that_cannot_be_written(app: ASGIApp, body: bytes) -> None:
    reply = asyncio.run(ask(app, "POST", "/v1/completions", body=body))
    assert reply.status in {400, 404}
    assert reply.json["error"]["type"] == "invalid_request_error"


def test_a_model_that_was_closed_is_no_mistake_of_the_client(
    app: ASGIApp, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(_ids: object) -> str:
        raise ModelClosedError("the model is closed")

    monkeypatch.setattr(service.model.tokenizer, "decode", decode)
    reply = asyncio.run(ask(app, "POST", "/detokenize", {"tokens": [5]}))
    assert (reply.status, reply.json["error"]["code"]) == (503, "draining")
    assert int(reply.headers["retry-after"]) > 0


def test_in_a_log_for_people_a_fault_is_one_line_that_leads_to_its_place(
    app: ASGIApp, service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def decode(_ids: object) -> str:
        raise RuntimeError(PRIVATE)

    for name in ("biogpt_onnx.server", "uvicorn.error"):
        logger = logging.getLogger(name)
        for attribute in ("handlers", "propagate", "level"):
            monkeypatch.setattr(logger, attribute, getattr(logger, attribute))
    set_up_log("text")
    monkeypatch.setattr(service.model.tokenizer, "decode", decode)
    asyncio.run(ask(app, "POST", "/detokenize", {"tokens": [5]}, headers={"x-request-id": "id-1"}))
    fault, request = capsys.readouterr().err.splitlines()
    assert " ERROR fault request_id=id-1 error=RuntimeError frames=" in fault
    # The place itself comes first, and then who called it.
    assert fault.partition("frames=")[2].split(" < ")[0].endswith(" decode")
    assert " INFO request request_id=id-1 method=POST handler=/detokenize status=500 " in request
    assert PRIVATE not in fault + request
