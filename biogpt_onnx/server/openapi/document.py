"""The OpenAPI document of all addresses."""

from collections.abc import Mapping

from biogpt_onnx._version import __version__
from biogpt_onnx.server.openapi import completions, state, tasks, tokens
from biogpt_onnx.server.openapi.common import ERROR, HEADERS, REQUEST_ID, USAGE
from biogpt_onnx.server.openapi.operations import Operation
from biogpt_onnx.server.openapi.schemas import Schema
from biogpt_onnx.server.settings import ServerSettings


def openapi_document(settings: ServerSettings) -> Schema:
    """Returns the OpenAPI 3.1 document that describes a server.

    Args:
        settings: the server's bounds.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "biogpt-onnx",
            "version": __version__,
            "summary": "BioGPT through ONNX Runtime, for many clients at a time.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": {
            path: {"parameters": [REQUEST_ID], operation.method: operation.as_json()}
            for path, operation in _operations(settings).items()
        },
        "components": {
            "schemas": {"Error": ERROR, "Usage": USAGE},
            "headers": HEADERS,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "a key of the server's key file; servers without one need none",
                }
            },
        },
    }


def _operations(settings: ServerSettings) -> Mapping[str, Operation]:
    return {
        "/health": state.health(),
        "/ready": state.ready(),
        "/load": state.load(),
        "/metrics": state.metrics(),
        "/v1/models": state.models(),
        "/v1/models/{model}": state.model(),
        "/v1/completions": completions.completions(settings),
        "/v1/chat/completions": completions.chats(),
        "/tokenize": tokens.tokenize(),
        "/detokenize": tokens.detokenize(),
        "/tokenizer_info": tokens.tokenizer_info(),
        "/v1/choices": tokens.choices(settings),
        "/v1/tasks": tasks.list_operation(),
        "/v1/tasks/relations": tasks.job_operation("relations", settings),
        "/v1/tasks/answers": tasks.job_operation("answers", settings),
        "/v1/tasks/classifications": tasks.job_operation("classifications", settings),
        "/v1/tasks/descriptions": tasks.job_operation("descriptions", settings),
        "/openapi.json": state.openapi(),
    }
