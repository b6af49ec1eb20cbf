"""How the server is: alive, ready, how busy, and its metrics."""

from collections.abc import Mapping

from biogpt_onnx.server.http.call import Call
from biogpt_onnx.server.http.endpoint import Content
from biogpt_onnx.server.observation.metrics import CONTENT_TYPE


async def health(_call: Call) -> Mapping[str, object]:
    """Says that the process answers."""
    return {"status": "ok"}


async def ready(call: Call) -> Mapping[str, object]:
    """Says that requests are let in; an error while the server ends."""
    call.service.admission.check_open()
    return {"status": "ready"}


async def load(call: Call) -> Mapping[str, object]:
    """Says how many sequences run and wait."""
    service = call.service
    running, waiting = service.model.num_running, service.model.num_waiting
    return {
        "server_load": running + waiting,
        "running": running,
        "waiting": waiting,
        "max_rows": service.settings.max_rows,
        "max_waiting": service.settings.max_waiting,
    }


async def metrics(call: Call) -> Content:
    """Returns the metrics in Prometheus' text format."""
    service = call.service
    service.metrics.set_load(service.model.num_running, service.model.num_waiting, service.model.cache_usage)
    return Content(service.metrics.text(), CONTENT_TYPE)
