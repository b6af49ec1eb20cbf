"""The model that the server has, as OpenAI's list of models with what BioGPT's users want to know."""

from collections.abc import Mapping

from biogpt_onnx.server.http.call import Call
from biogpt_onnx.server.http.errors import ApiError
from biogpt_onnx.server.service import Service


async def list_models(call: Call) -> Mapping[str, object]:
    """Lists the one model."""
    return {"object": "list", "data": [_described(call.service)]}


async def show_model(call: Call) -> Mapping[str, object]:
    """Describes the model, if it is called by its name."""
    check_model(call.service, call.path_parameters["model"])
    return _described(call.service)


def check_model(service: Service, name: str | None) -> None:
    """Refuses a request for another model.

    Args:
        service: what endpoints share.
        name: name that the request gives; None for none.

    Raises:
        ApiError: there is no such model.
    """
    if name is not None and name != service.name:
        raise ApiError(
            404, f"there is no such model: this server has {service.name}", param="model", code="model_not_found"
        )


def _described(service: Service) -> Mapping[str, object]:
    manifest = service.model.manifest
    return {
        "id": service.name,
        "object": "model",
        "created": service.created,
        "owned_by": "biogpt-onnx",
        "max_model_len": manifest.architecture.max_positions,
        "precision": manifest.precision,
        "recipe": manifest.recipe,
        "batch_invariant": service.is_batch_invariant,
        "quality": manifest.evaluation,
        "tasks": sorted(service.tasks),
    }
