"""ONNX Runtime itself, and which of its execution providers runs a bundle."""

import importlib
import importlib.metadata
import os
import warnings
from types import ModuleType
from typing import Literal, get_args

from biogpt_onnx.runtime.errors import ConfigError, ProviderError

Device = Literal["auto", "cpu", "cuda"]

TWO_RUNTIMES = "onnxruntime and onnxruntime-gpu are both installed and overwrite each other: uninstall both, then"
NO_CUDA_PROVIDER = (
    'the installed ONNX Runtime has no CUDA provider: pip uninstall onnxruntime, then pip install "biogpt-onnx[gpu]"'
)
"""What may be wrong, with the remedy; of the first, what to install follows."""

CPU_PROVIDER = "CPUExecutionProvider"
CUDA_PROVIDER = "CUDAExecutionProvider"

# The attention operator of ONNX Runtime's CUDA provider computes in half precision only, and that of its CPU provider
# in all but bfloat16.
_CUDA_PRECISIONS = frozenset({"fp16", "bf16"})
_CUDA_ONLY_PRECISIONS = frozenset({"bf16"})


def import_onnxruntime() -> ModuleType:
    """Imports ONNX Runtime, with its telemetry off.

    Raises:
        ProviderError: it is not installed or cannot be loaded.
    """
    # Official builds report home unless this stands in the environment before the library is loaded.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        onnxruntime = importlib.import_module("onnxruntime")
        onnxruntime.get_available_providers()
    except (ImportError, AttributeError) as error:
        raise ProviderError(
            f"ONNX Runtime cannot be loaded ({error}): "
            'pip install "biogpt-onnx[cpu]", or "biogpt-onnx[gpu]" on a machine with an NVIDIA GPU'
        ) from error
    return onnxruntime


def choose_provider(onnxruntime: ModuleType, device: Device, precision: str) -> str:
    """The execution provider for a device and a bundle's precision.

    Raises:
        ConfigError: no such device.
        ProviderError: the device was asked for by name and cannot be had, or none that runs the bundle is there. What
            was asked for is never replaced by another.
    """
    if device not in get_args(Device):
        raise ConfigError(f"device is {device!r}: choose one of {', '.join(get_args(Device))}")
    if device == "cuda":
        return _cuda(onnxruntime, precision)
    if device == "auto" and precision in _CUDA_PRECISIONS and CUDA_PROVIDER in onnxruntime.get_available_providers():
        return CUDA_PROVIDER
    if not runs_on_cpu(precision):
        raise ProviderError(
            f"ONNX Runtime runs {precision} bundles on an NVIDIA GPU only, and "
            f"{'device is cpu' if device == 'cpu' else 'the installed one has no CUDA provider'}: "
            "choose device cuda with biogpt-onnx[gpu] installed, or quantize the fp32 bundle by another recipe, "
            "such as fp16"
        )
    return CPU_PROVIDER


def runs_on_cpu(precision: str) -> bool:
    """Whether ONNX Runtime can run a bundle of this precision without a GPU."""
    return precision not in _CUDA_ONLY_PRECISIONS


def runs_on_gpu(precision: str) -> bool:
    """Whether ONNX Runtime can run a bundle of this precision on a GPU."""
    return precision in _CUDA_PRECISIONS


def installed_runtimes() -> list[str]:
    """The distributions of ONNX Runtime that are installed; more than one write the same files, and one is lost."""
    return [name for name in ("onnxruntime", "onnxruntime-gpu") if _is_installed(name)]


def warn_of_two_runtimes() -> None:
    """Warns when onnxruntime and onnxruntime-gpu are both installed: they write the same files, and one is lost."""
    if len(installed_runtimes()) > 1:
        warnings.warn(f"{TWO_RUNTIMES} install the one you want", RuntimeWarning, stacklevel=3)


def _cuda(onnxruntime: ModuleType, precision: str) -> str:
    if CUDA_PROVIDER not in onnxruntime.get_available_providers():
        raise ProviderError(f"device is cuda, but {NO_CUDA_PROVIDER}; or choose device cpu")
    if precision not in _CUDA_PRECISIONS:
        raise ProviderError(
            f"device is cuda, but {precision} bundles run on the CPU only: choose device cpu or auto, or quantize the "
            "fp32 bundle by the recipe fp16"
        )
    return CUDA_PROVIDER


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
