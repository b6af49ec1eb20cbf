"""The description of the addresses that tell of the server and its model."""

from biogpt_onnx.server.openapi import schemas
from biogpt_onnx.server.openapi.operations import Operation
from biogpt_onnx.server.openapi.schemas import Schema, flag, many, one_of, text, whole

_MODEL_EXAMPLE = {
    "id": "biogpt",
    "object": "model",
    "created": 1790000000,
    "owned_by": "biogpt-onnx",
    "max_model_len": 1024,
    "precision": "int8",
    "recipe": "int8",
    "batch_invariant": True,
    "quality": None,
    "tasks": ["description"],
}


def health() -> Operation:
    """Returns the operation that says that the process answers."""
    return Operation(
        method="get",
        name="health",
        summary="Says that the process answers.",
        answers=schemas.answer({"status": one_of("how it is", ["ok"])}),
        example={"status": "ok"},
        is_open=True,
    )


def ready() -> Operation:
    """Returns the operation that says that requests are let in."""
    return Operation(
        method="get",
        name="ready",
        summary="Says that requests are let in; 503 while the server ends.",
        answers=schemas.answer({"status": one_of("how it is", ["ready"])}),
        example={"status": "ready"},
        is_open=True,
    )


def load() -> Operation:
    """Returns the operation that tells how busy the server is."""
    example = {"server_load": 3, "running": 2, "waiting": 1, "max_rows": 8, "max_waiting": 64}
    return Operation(
        method="get",
        name="load",
        summary="Tells how many sequences run and wait.",
        answers=schemas.answer({name: whole(f"{name.replace('_', ' ')}, in sequences") for name in example}),
        example=example,
    )


def metrics() -> Operation:
    """Returns the operation of the metrics."""
    return Operation(
        method="get",
        name="metrics",
        summary="Returns the metrics in Prometheus' text format.",
        media_types={"text/plain": {"type": "string"}},
    )


def models() -> Operation:
    """Returns the operation that lists the model."""
    return Operation(
        method="get",
        name="list_models",
        summary="Lists the one model.",
        answers=schemas.answer({"object": one_of("what this is", ["list"]), "data": many(_model(), "the model")}),
        example={"object": "list", "data": [_MODEL_EXAMPLE]},
    )


def model() -> Operation:
    """Returns the operation that describes the model."""
    return Operation(
        method="get",
        name="show_model",
        summary="Describes the model.",
        answers=_model(),
        example=_MODEL_EXAMPLE,
        parameters=({"name": "model", "in": "path", "required": True, "schema": text("name of the model")},),
        errors={404: "there is no such model"},
    )


def openapi() -> Operation:
    """Returns the operation that returns this document."""
    return Operation(
        method="get",
        name="describe",
        summary="Returns this document.",
        answers={"type": "object", "required": ["openapi", "info", "paths"]},
        example={"openapi": "3.1.0", "info": {"title": "biogpt-onnx", "version": "1.0.0"}, "paths": {}},
    )


def _model() -> Schema:
    return schemas.answer(
        {
            "id": text("name of the model"),
            "object": one_of("what this is", ["model"]),
            "created": whole("seconds since 1970"),
            "owned_by": text("what serves it"),
            "max_model_len": whole("most tokens of a prompt and its answer"),
            "precision": text("precision of the weights"),
            "recipe": schemas.or_null(text("how it was quantized")),
            "batch_invariant": flag("no answer depends on what else is computed, to the last bit"),
            "quality": {"type": ["object", "null"], "description": "figures of its quality; null if there are none"},
            "tasks": many({"type": "string"}, "names of the tasks that are offered"),
        }
    )
