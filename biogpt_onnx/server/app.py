"""The server's application: its routes behind the gate."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.server.completions.endpoint import complete
from biogpt_onnx.server.endpoints import health, models, tokens
from biogpt_onnx.server.endpoints.chat import refuse_chat
from biogpt_onnx.server.endpoints.choices import choose
from biogpt_onnx.server.endpoints.description import describe
from biogpt_onnx.server.endpoints.page import page_file
from biogpt_onnx.server.endpoints.tasks.endpoint import job_endpoint
from biogpt_onnx.server.endpoints.tasks.jobs import JOBS
from biogpt_onnx.server.endpoints.tasks.listing import list_tasks
from biogpt_onnx.server.endpoints.tasks.offered import offered_tasks
from biogpt_onnx.server.http.endpoint import Endpoint, Handler, error_content
from biogpt_onnx.server.http.errors import ApiError
from biogpt_onnx.server.observation.metrics import Metrics
from biogpt_onnx.server.page.files import PAGE_FILES
from biogpt_onnx.server.security.gate import Gate
from biogpt_onnx.server.security.hosts import HostNames
from biogpt_onnx.server.security.keys import ApiKeys
from biogpt_onnx.server.security.known_clients import OPEN_PATHS, KnownClients
from biogpt_onnx.server.security.origins import AllowedOrigins
from biogpt_onnx.server.service import Service
from biogpt_onnx.server.settings import ServerSettings
from biogpt_onnx.tasks.spec import TaskSpec

_ROUTES: Sequence[tuple[str, str, Handler]] = (
    ("GET", "/health", health.health),
    ("GET", "/ready", health.ready),
    ("GET", "/load", health.load),
    ("GET", "/metrics", health.metrics),
    ("GET", "/v1/models", models.list_models),
    ("GET", "/v1/models/{model:path}", models.show_model),
    ("POST", "/v1/completions", complete),
    ("POST", "/v1/chat/completions", refuse_chat),
    ("POST", "/tokenize", tokens.tokenize),
    ("POST", "/detokenize", tokens.detokenize),
    ("GET", "/tokenizer_info", tokens.tokenizer_info),
    ("POST", "/v1/choices", choose),
    ("GET", "/v1/tasks", list_tasks),
    *(("POST", f"/v1/tasks/{job}", job_endpoint(job)) for job in JOBS),
    ("GET", "/openapi.json", describe),
)


def make_service(
    model: BioGPT,
    name: str,
    settings: ServerSettings | None = None,
    tasks: Mapping[str, TaskSpec] | None = None,
    metrics: Metrics | None = None,
) -> Service:
    """Puts a model to work for many: returns what the application needs, to be closed after it.

    Args:
        model: the model; it stays open.
        name: name by which requests name it, unless the settings have another.
        settings: bounds and times; None for the defaults.
        tasks: tasks that are offered, by name; None for the built-in ones that the bundle can do.
        metrics: where it is measured; None for metrics of its own.

    Raises:
        ConfigError: the bundle has a classification head, or the model is not on the CPU.
    """
    settings = settings or ServerSettings()
    if tasks is None:
        tasks = offered_tasks(model.manifest)
    name = settings.model_name or name
    metrics = metrics or Metrics(name)
    concurrent = model.concurrent(settings.max_rows, metrics.note_pass)
    return Service(concurrent, name, settings, tasks, metrics)


def create_app(service: Service, keys: ApiKeys | None = None, bound: str | None = "127.0.0.1") -> ASGIApp:
    """Returns the application that answers requests.

    Args:
        service: the model and what endpoints share.
        keys: keys of clients; None to let everybody in.
        bound: address that the server listens on; None for a socket of the file system.
    """
    pages = PAGE_FILES if service.settings.has_page else {}
    handlers = [*_ROUTES, *(("GET", path, page_file(path)) for path in pages)]
    service.needs_key = keys is not None
    routes: list[BaseRoute] = [
        Route(path, _Noting(path, Endpoint(service, handler)), methods=[method]) for method, path, handler in handlers
    ]
    inner = Starlette(routes=routes, exception_handlers={HTTPException: _no_such_path})
    # A redirection would name the address as this server knows it, which is not how clients of a proxy reach it.
    inner.router.redirect_slashes = False
    hosts = HostNames(service.settings.allowed_hosts, bound)
    app = KnownClients(inner, keys, OPEN_PATHS.union(pages))
    return Gate(AllowedOrigins(app, service.settings.allowed_origins), service, hosts)


class _Noting:
    """Notes the pattern of the path for the log and the metrics, which hold no path that a client made up."""

    def __init__(self, pattern: str, endpoint: Endpoint) -> None:
        self._pattern, self._endpoint = pattern, endpoint

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI's own types
        scope["state"]["outcome"].handler = self._pattern
        await self._endpoint(scope, receive, send)


async def _no_such_path(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        api_error = ApiError(
            405, "this address takes another method: /openapi.json lists them", code="method_not_allowed"
        )
    else:
        api_error = ApiError(404, "there is no such address: /openapi.json lists them", code="not_found")
    content = error_content(api_error)
    headers = {"Cache-Control": "no-store"} | dict(getattr(error, "headers", None) or {})
    return Response(content.body, status, headers, content.content_type)
