"""The server: one model for many clients, over HTTP as OpenAI's clients speak it.

`biogpt-onnx serve` runs it; the names here are for programs that serve it themselves. It needs the extra `server`, and
importing this package loads nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from biogpt_onnx.runtime.errors import BioGptError

if TYPE_CHECKING:
    from biogpt_onnx.server.app import create_app, make_service
    from biogpt_onnx.server.service import Service
    from biogpt_onnx.server.settings import ServerSettings

_MODULES = {"ServerSettings": "settings", "Service": "service", "create_app": "app", "make_service": "app"}

__all__ = ["ServerSettings", "Service", "create_app", "make_service"]


def __getattr__(name: str) -> object:
    """Imports what is asked for when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        raise BioGptError(f"{error.name} is not installed: pip install 'biogpt-onnx[cpu,server]'") from error
    return found
