"""Export of checkpoints to bundles: readers, the graph, and its parity with transformers.

`export_checkpoint` does it in one call; importing this package loads nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from biogpt_onnx.runtime.errors import CheckpointError

if TYPE_CHECKING:
    from biogpt_onnx.export.api import Export, export_checkpoint

__all__ = ["Export", "export_checkpoint"]


def __getattr__(name: str) -> object:
    """Imports what is asked for when it is asked for.

    Raises:
        CheckpointError: packages of the extra `export` are not installed.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found: object = getattr(import_module("biogpt_onnx.export.api"), name)
    except ImportError as error:
        raise CheckpointError(f'export needs more packages ({error}): pip install "biogpt-onnx[export]"') from error
    return found
