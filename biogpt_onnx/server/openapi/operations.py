"""Operations of an OpenAPI document: what is sent to an address, and all that may be answered."""

from collections.abc import Mapping
from dataclasses import dataclass

from biogpt_onnx.server.openapi.schemas import Schema

_REQUEST_ID = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}

_OF_ALL = {
    400: "the server is not called by this name, or a field or the JSON is wrong",
    401: "a valid key is missing",
    500: "a fault of the server; its log says more",
    503: "the server ends, or has too many connections, no memory or no time",
}
_OF_BODIES = {
    404: "there is no such model",
    408: "the request did not come in time",
    413: "the request is too large",
    415: "the request does not say that it is JSON",
}
_OF_WORK = {429: "the queue is full: try again after the seconds of the header Retry-After"}


@dataclass(frozen=True)
class Operation:
    """What is asked for at an address.

    Attributes:
        method: HTTP method, in lower case.
        name: name in programs that are made of the document.
        summary: what it does.
        answers: schema of the answer; None if there is none but errors.
        example: an answer.
        request: schema of what is sent; None if nothing is.
        request_example: what may be sent.
        computes: True if it takes a place in the queue.
        is_open: True if no key is needed.
        media_types: further types of the answer, each with its schema; or the only ones, without `answers`.
        errors: further statuses of errors, each with its meaning.
        parameters: parameters of the address.
    """

    method: str
    name: str
    summary: str
    answers: Schema | None = None
    example: object = None
    request: Schema | None = None
    request_example: object = None
    computes: bool = False
    is_open: bool = False
    media_types: Mapping[str, Schema] | None = None
    errors: Mapping[int, str] | None = None
    parameters: tuple[Schema, ...] = ()

    def as_json(self) -> Schema:
        """Returns the operation as a part of an OpenAPI document."""
        found: Schema = {"operationId": self.name, "summary": self.summary, "responses": self._responses()}
        if self.is_open:
            found["security"] = []
        if self.parameters:
            found["parameters"] = list(self.parameters)
        if self.request is not None:
            content = {"schema": self.request, "example": self.request_example}
            found["requestBody"] = {"required": True, "content": {"application/json": content}}
        return found

    def _responses(self) -> Schema:
        errors = _OF_ALL | dict(self.errors or {})
        if self.request is not None:
            errors = _OF_BODIES | errors
        if self.computes:
            errors |= _OF_WORK
        if self.is_open:
            del errors[401]
        content: Schema = {name: {"schema": schema} for name, schema in (self.media_types or {}).items()}
        if self.answers is not None:
            content = {"application/json": {"schema": self.answers, "example": self.example}} | content
        responses: Schema = {str(status): _refusal(status, errors[status]) for status in sorted(errors)}
        if not content:
            return responses
        return {"200": {"description": "the answer", "headers": _REQUEST_ID, "content": content}} | responses


def _refusal(status: int, meaning: str) -> Schema:
    may_retry = status in {429, 503}
    headers = _REQUEST_ID | ({"Retry-After": {"$ref": "#/components/headers/RetryAfter"}} if may_retry else {})
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": meaning, "headers": headers, "content": content}
