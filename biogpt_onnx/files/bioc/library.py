"""The library bioc, an extra that is imported when a BioC file is written."""

from importlib import import_module
from types import ModuleType

from biogpt_onnx.runtime.errors import DocumentError


def import_bioc() -> ModuleType:
    """Imports the library.

    Raises:
        DocumentError: The library is not installed.
    """
    try:
        module = import_module("bioc")
        # This becomes an attribute of the library.
        import_module("bioc.biocxml.encoder")
    except ImportError as error:
        raise DocumentError('BioC is written by the library bioc: pip install "biogpt-onnx[files]"') from error
    return module
