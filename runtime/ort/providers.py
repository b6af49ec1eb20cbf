"""The import of ONNX Runtime, and the names of its execution providers."""

import importlib
import importlib.metadata
import os
import warnings
from typing import cast

from biogpt_onnx.runtime.errors import ProviderError
from biogpt_onnx.runtime.ort.protocols import OnnxRuntime

TWO_RUNTIMES = "onnxruntime and onnxruntime-gpu are both installed and overwrite each other: uninstall both, then"
NO_CUDA_PROVIDER = (
    'the installed ONNX Runtime has no CUDA provider: pip uninstall onnxruntime, then pip install "biogpt-onnx[gpu]"'
)
"""Clauses that name a fault and its remedy; the first is to be followed by the package to install."""

CPU_PROVIDER = "CPUExecutionProvider"
CUDA_PROVIDER = "CUDAExecutionProvider"


def import_onnxruntime() -> OnnxRuntime:
    """Imports ONNX Runtime, with its telemetry off.

    Raises:
        ProviderError: ONNX Runtime is not installed or cannot be loaded.
    """
    # Official builds send telemetry unless this is set in the environment before the library is loaded.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        onnxruntime = importlib.import_module("onnxruntime")
        onnxruntime.get_available_providers()
    except (ImportError, AttributeError) as error:
        raise ProviderError(
            f"ONNX Runtime cannot be loaded ({error}): "
            'pip install "biogpt-onnx[cpu]", or "biogpt-onnx[gpu]" on a machine with an NVIDIA GPU'
        ) from error
    return cast("OnnxRuntime", onnxruntime)


def installed_runtimes() -> list[str]:
    """Returns the installed distributions of ONNX Runtime; two write the same files, and one is lost."""
    return [name for name in ("onnxruntime", "onnxruntime-gpu") if _is_installed(name)]


def warn_of_two_runtimes() -> None:
    """Warns when onnxruntime and onnxruntime-gpu are both installed: they write the same files, and one is lost."""
    if len(installed_runtimes()) > 1:
        warnings.warn(f"{TWO_RUNTIMES} install the one you want", RuntimeWarning, stacklevel=3)


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
