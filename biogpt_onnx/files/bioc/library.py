"""The library bioc, an extra that is imported when a BioC file is read or written."""

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
        # These become attributes of the library.
        import_module("bioc.biocjson")
        import_module("bioc.biocxml.encoder")
    except ImportError as error:
        raise DocumentError('BioC files need the library bioc: pip install "biogpt-onnx[files]"') from error
    return module
