"""The address /openapi.json: what the server is asked and answers, for programs."""

from collections.abc import Mapping

from biogpt_onnx.server.http.call import Call
from biogpt_onnx.server.openapi.document import openapi_document


async def describe(call: Call) -> Mapping[str, object]:
    """Returns the OpenAPI document."""
    service = call.service
    return openapi_document(service.settings, service.tasks, service.model.manifest.task, needs_key=service.needs_key)
