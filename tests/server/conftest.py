from collections.abc import Callable, Iterator

import pytest
from starlette.types import ASGIApp

import biogpt_onnx
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.service import Service
from biogpt_onnx.server.settings import ServerSettings


@pytest.fixture(scope="module")
def service(mini: biogpt_onnx.BioGPT) -> Iterator[Service]:
    """The embedded checkpoint, put to work for many."""
    made = make_service(mini, "mini", ServerSettings(max_rows=4, max_waiting=8, max_prompts=8))
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(service: Service) -> ASGIApp:
    """The application that answers with it."""
    return create_app(service)


@pytest.fixture
def make_app(mini: biogpt_onnx.BioGPT) -> Iterator[Callable[..., ASGIApp]]:
    """Makes an application with settings of its own."""
    services = []

    def make(**settings: object) -> ASGIApp:
        services.append(make_service(mini, "mini", ServerSettings(**settings)))  # type: ignore[arg-type] # by name
        return create_app(services[-1])

    yield make
    for each in services:
        each.close()
