"""A bundle opened on the device that was asked for, or on the best that there is."""

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from biogpt_onnx.runtime.backends.cpu.session import DecoderSession, check_sharing
from biogpt_onnx.runtime.backends.cuda.diagnosis import preload, what_cuda_lacks
from biogpt_onnx.runtime.backends.cuda.memory import device_memory
from biogpt_onnx.runtime.backends.cuda.session import CUDA, DeviceSession
from biogpt_onnx.runtime.backends.protocol import DecoderModel
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import DeviceMemoryError, ProviderError
from biogpt_onnx.runtime.ort.providers import (
    CPU_PROVIDER,
    Device,
    choose_provider,
    import_onnxruntime,
    runs_on_cpu,
    runs_on_gpu,
    warn_of_two_runtimes,
)

_WARNING, _FATAL = 2, 4
"""Levels of ONNX Runtime's log; the first is its default."""


class Session(DecoderModel[Any], Protocol):
    """A bundle that runs, wherever it does."""

    @property
    def vocab_size(self) -> int:
        """Entries of a row of logits."""
        ...

    @property
    def device(self) -> str:
        """The name of the device."""
        ...


def open_session(  # noqa: PLR0913 -- what is loaded, where it runs, and how its weights are kept
    folder: Path,
    manifest: Manifest,
    *,
    device: Device = "auto",
    threads: int | None = None,
    prepack: bool = True,
    share_weights: bool = False,
    cache_folder: Path | None = None,
) -> DecoderSession | DeviceSession:
    """Opens a bundle. What was asked for by name is never replaced by another; "auto" warns of a GPU that fails.

    Args:
        folder: the bundle.
        manifest: its manifest.
        device: see `load`.
        threads: see `DecoderSession`, as the rest; a GPU needs none of it.
        prepack: likewise.
        share_weights: likewise.
        cache_folder: likewise.

    Raises:
        ProviderError: ONNX Runtime or the device cannot be had.
        BundleError: a graph cannot be loaded, or the device needs one that the bundle does not have.
        ConfigError: a bad setting.
        DeviceMemoryError: the weights do not fit in the device's memory.
    """
    onnxruntime = import_onnxruntime()
    warn_of_two_runtimes()
    if device != "cpu" and runs_on_gpu(manifest.precision):
        preload(onnxruntime)
    provider = choose_provider(onnxruntime, device, manifest.precision)
    if provider != CPU_PROVIDER:
        check_sharing(provider, share_weights=share_weights, prepack=prepack, cache_folder=cache_folder)
        try:
            return _on_gpu(onnxruntime, folder, manifest)
        except (ProviderError, DeviceMemoryError) as error:
            if device != "auto" or not runs_on_cpu(manifest.precision):
                raise
            warnings.warn(f"the CPU is used, because {error}", RuntimeWarning, stacklevel=3)
    return DecoderSession(
        folder, manifest, threads=threads, prepack=prepack, share_weights=share_weights, cache_folder=cache_folder
    )


def _on_gpu(onnxruntime: ModuleType, folder: Path, manifest: Manifest) -> DeviceSession:
    # What fails is found out here, by the smallest thing that can: with a model, ONNX Runtime would take the CPU
    # instead. It tells the log too, in colours, and no setting of a session keeps it from that.
    onnxruntime.set_default_logger_severity(_FATAL)
    try:
        with device_memory("a single number"):
            onnxruntime.OrtValue.ortvalue_from_shape_and_type([1], np.float32, CUDA.name, 0)
    except DeviceMemoryError:
        raise
    except Exception as error:  # ONNX Runtime's exceptions have no common base but this
        first_line = str(error).strip().partition("\n")[0]
        raise ProviderError(f"the GPU cannot be used: {what_cuda_lacks(onnxruntime) or first_line}") from error
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)
    return DeviceSession(onnxruntime, folder, manifest)
