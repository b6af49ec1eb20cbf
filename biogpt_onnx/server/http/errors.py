"""Errors that a client gets, in the form that OpenAI's clients read."""

from collections.abc import Mapping

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_FIRST_SERVER_ERROR = 500

MEMORY_IS_FULL = "the server's memory is full: try again later, or ask for less"
"""What a client is told for whom there was no memory."""


class ApiError(Exception):
    """An error that a client gets.

    Attributes:
        status: HTTP status.
        message: one line that says what is wrong and what to do; never quotes what a client sent but names of fields.
        param: name of the field that is wrong; None if it is not a field.
        code: word for programs; None for none.
        headers: headers of the answer beside those of every answer.

    Args:
        retry_after: seconds after which the client may try again; None to say nothing.
    """

    def __init__(  # noqa: PLR0913 -- what the form has room for
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)

    def body(self) -> dict[str, object]:
        """Returns the error as a JSON object."""
        otherwise = "server_error" if self.status >= _FIRST_SERVER_ERROR else "invalid_request_error"
        kind = _TYPES.get(self.status, otherwise)
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


class ClientLeftError(Exception):
    """The client has closed its connection: nobody is there to be answered."""


def bad_field(name: str, what: str) -> ApiError:
    """Returns the error for a field with a bad value.

    Args:
        name: name of the field.
        what: what it must be, such as "must be a string".
    """
    return ApiError(400, f"{name} {what}", param=name)


def internal_error(request_id: str) -> ApiError:
    """Returns the error for a fault of the server, whose details are for its log alone."""
    return ApiError(500, f"internal error: the server's log says more of the request {request_id}", code="internal")
