"""The components of the document, which several addresses share: schemas, headers and parameters."""

from biogpt_onnx.server.openapi import schemas
from biogpt_onnx.server.openapi.schemas import Schema

ERROR = schemas.answer(
    {
        "error": schemas.answer(
            {
                "message": schemas.text("what is wrong and what to do"),
                "type": schemas.one_of(
                    "kind of the error",
                    [
                        "invalid_request_error",
                        "authentication_error",
                        "permission_error",
                        "rate_limit_error",
                        "server_error",
                    ],
                ),
                "param": schemas.or_null(schemas.text("field that is wrong")),
                "code": schemas.or_null(schemas.text("word for programs")),
            }
        )
    }
)
"""An error, as OpenAI's clients read it."""

USAGE = schemas.answer(
    {
        "prompt_tokens": schemas.whole("tokens that were read"),
        "completion_tokens": schemas.whole("tokens that were generated"),
        "total_tokens": schemas.whole("both together"),
    }
)
"""Numbers of tokens."""

USAGE_EXAMPLE = {"prompt_tokens": 8, "completion_tokens": 16, "total_tokens": 24}

MODEL_FIELD = schemas.text("name of the model; another one than the server's is an error")
"""The name of the model in requests."""

HEADERS: Schema = {
    "RequestId": {"description": "id of the request, for questions about it", "schema": {"type": "string"}},
    "RetryAfter": {
        "description": "seconds after which to try again; not always there",
        "schema": {"type": "integer", "minimum": 0},
    },
}
"""Headers of answers."""

REQUEST_ID: Schema = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": (
        "id of the request, of 1 to 64 letters, digits and ._-; one is made up if it is left out or has another form"
    ),
    "schema": {"type": "string"},
}
"""The header by which a client names its request."""
