"""The address /openapi.json: what the server is asked and answers, for programs."""

from collections.abc import Mapping

from biogpt_onnx.server.http.call import Call
from biogpt_onnx.server.openapi.document import openapi_document


async def describe(call: Call) -> Mapping[str, object]:
    """Returns the OpenAPI document."""
    return openapi_document(call.service.settings)
