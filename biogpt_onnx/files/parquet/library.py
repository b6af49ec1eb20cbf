"""The library pyarrow, an extra that is imported when a Parquet file is read or written."""

from importlib import import_module
from typing import Any, NamedTuple

from biogpt_onnx.runtime.errors import DocumentError


class PyArrow(NamedTuple):
    """The modules of the library, which have no types.

    Attributes:
        arrow: `pyarrow`.
        parquet: `pyarrow.parquet`.
    """

    arrow: Any
    parquet: Any


def import_pyarrow() -> PyArrow:
    """Imports the library.

    Raises:
        DocumentError: The library is not installed.
    """
    try:
        return PyArrow(import_module("pyarrow"), import_module("pyarrow.parquet"))
    except ImportError as error:
        raise DocumentError('Parquet needs the library pyarrow: pip install "biogpt-onnx[parquet]"') from error
