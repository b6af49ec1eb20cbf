"""The CUDA backend's entry in the registry."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from biogpt_onnx.runtime.backends.spec import BackendSpec
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import ConfigError, DeviceMemoryError, ProviderError
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.ort.protocols import OnnxRuntime
from biogpt_onnx.runtime.ort.providers import CUDA_PROVIDER, NO_CUDA_PROVIDER

if TYPE_CHECKING:
    from biogpt_onnx.runtime.backends.cuda.backend import CudaBackend
    from biogpt_onnx.runtime.backends.cuda.cache import DeviceCache

_PRECISIONS = frozenset({"fp16", "bf16"})
"""Precisions for which the attention operator of ONNX Runtime's CUDA provider has kernels."""

_WARNING, _FATAL = 2, 4
"""Levels of ONNX Runtime's log; the first is its default."""


def runs_on_cuda(precision: str) -> bool:
    """Returns True if ONNX Runtime can run a bundle of this precision on an NVIDIA GPU."""
    return precision in _PRECISIONS


def open_on_cuda(
    onnxruntime: OnnxRuntime, folder: Path, manifest: Manifest, options: LoadOptions
) -> "CudaBackend[DeviceCache]":
    """Opens a bundle on an NVIDIA GPU, which needs none of the options.

    Raises:
        ProviderError: the GPU cannot be used; the message names the cause.
        BundleError: the graph cannot be loaded, or the bundle has none for GPUs.
        ConfigError: weights are to be shared between processes.
        DeviceMemoryError: the weights do not fit in the GPU's memory.
    """
    if options.share_weights:
        raise ConfigError(
            f"share_weights is True, but the model runs on {CUDA_PROVIDER}, which keeps weights in the device's "
            "memory: choose device cpu, or share_weights=False"
        )
    # Not with the registry, which every process imports, also where there is no GPU.
    from biogpt_onnx.runtime.backends.cuda.backend import CudaBackend  # noqa: PLC0415
    from biogpt_onnx.runtime.backends.cuda.diagnosis import preload  # noqa: PLC0415
    from biogpt_onnx.runtime.backends.cuda.session import DeviceSession  # noqa: PLC0415

    preload(onnxruntime)
    _try_gpu(onnxruntime)
    return CudaBackend(DeviceSession(onnxruntime, folder, manifest))


def _try_gpu(onnxruntime: OnnxRuntime) -> None:
    from biogpt_onnx.runtime.backends.cuda.diagnosis import what_cuda_lacks  # noqa: PLC0415 -- see `open_on_cuda`
    from biogpt_onnx.runtime.backends.cuda.memory import device_memory  # noqa: PLC0415
    from biogpt_onnx.runtime.backends.cuda.session import CUDA_DEVICE  # noqa: PLC0415

    # The smallest allocation shows here if the GPU fails: with a model, ONNX Runtime would take the CPU instead. It
    # also writes to its log, in colours, which no setting of a session prevents.
    onnxruntime.set_default_logger_severity(_FATAL)
    try:
        with device_memory("a single number"):
            onnxruntime.OrtValue.ortvalue_from_shape_and_type([1], np.float32, CUDA_DEVICE.name, 0)
    except DeviceMemoryError:
        raise
    except Exception as error:  # ONNX Runtime's exceptions have no common base but this
        first_line = str(error).strip().partition("\n")[0]
        raise ProviderError(f"the GPU cannot be used: {what_cuda_lacks(onnxruntime) or first_line}") from error
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)


def _not_run(precision: str, reason: str) -> str:
    return (
        f"{reason}, but {precision} bundles run on the CPU only: choose device cpu or auto, or quantize the fp32 "
        "bundle by the recipe fp16"
    )


CUDA = BackendSpec(
    device="cuda",
    title="the GPU",
    provider=CUDA_PROVIDER,
    runs=runs_on_cuda,
    no_provider=NO_CUDA_PROVIDER,
    not_run=_not_run,
    open=open_on_cuda,
)
