"""The OpenAPI document of all addresses."""

from collections.abc import Mapping

from biogpt_onnx._version import __version__
from biogpt_onnx.server.endpoints.tasks.jobs import JOBS, default_task, tasks_of_job
from biogpt_onnx.server.openapi import completions, state, tasks, tokens
from biogpt_onnx.server.openapi.components import ERROR, HEADERS, REQUEST_ID, USAGE
from biogpt_onnx.server.openapi.operations import Operation
from biogpt_onnx.server.openapi.schemas import Schema
from biogpt_onnx.server.settings import ServerSettings
from biogpt_onnx.tasks.spec import TaskSpec


def openapi_document(
    settings: ServerSettings,
    offered: Mapping[str, TaskSpec],
    recorded: str | None = None,
    *,
    needs_key: bool = False,
) -> Schema:
    """Returns the OpenAPI 3.1 document that describes a server.

    Args:
        settings: the server's bounds.
        offered: the tasks that it offers, by name.
        recorded: the task that its bundle was fine-tuned for; None if it does not say.
        needs_key: True if clients need keys.
    """
    operations = _operations(settings) | _jobs(settings, offered, recorded)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "biogpt-onnx",
            "version": __version__,
            "summary": "BioGPT through ONNX Runtime, for many clients at a time.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}] if needs_key else [],
        "paths": {
            path: {"parameters": [REQUEST_ID], operation.method: operation.as_json()}
            for path, operation in operations.items()
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


def _jobs(settings: ServerSettings, offered: Mapping[str, TaskSpec], recorded: str | None) -> dict[str, Operation]:
    found = {}
    for job in JOBS:
        known = tasks_of_job(job, offered)
        found[f"/v1/tasks/{job}"] = tasks.job_operation(job, settings, list(known), default_task(known, recorded))
    return found


def _operations(settings: ServerSettings) -> dict[str, Operation]:
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
        "/openapi.json": state.openapi(),
    }
