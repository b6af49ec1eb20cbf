"""The library bioc, which is an extra: loaded when a BioC file is read or written, and no sooner."""

from importlib import import_module
from types import ModuleType

from biogpt_onnx.runtime.errors import DocumentError


def import_bioc() -> ModuleType:
    """The library.

    Raises:
        DocumentError: it is not installed.
    """
    try:
        module = import_module("bioc")
        # Attributes of the library from now on.
        import_module("bioc.biocjson")
        import_module("bioc.biocxml.encoder")
    except ImportError as error:
        raise DocumentError('BioC files need the library bioc: pip install "biogpt-onnx[files]"') from error
    return module
