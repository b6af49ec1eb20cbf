"""The registry of backends, and the selection of one for a bundle.

A new execution provider is a folder beside `cpu` and `cuda` with a `BackendSpec`, and a line in `BACKENDS`.
"""

import warnings
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.backends.cpu.opening import CPU
from biogpt_onnx.runtime.backends.cuda.opening import CUDA
from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.backends.spec import BackendSpec
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import ConfigError, DeviceMemoryError, ProviderError
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.ort.protocols import OnnxRuntime
from biogpt_onnx.runtime.ort.providers import import_onnxruntime, warn_of_outdated_runtime, warn_of_two_runtimes

BACKENDS = (CUDA, CPU)
"""All backends, in the order in which device "auto" tries them. The last runs everywhere."""

_AUTO = "auto"


def open_backend(folder: Path, manifest: Manifest, options: LoadOptions | None = None) -> Backend[Any]:
    """Opens a bundle on the device that the options name.

    A device that was requested by name is never replaced by another; "auto" warns if a backend fails, and takes the
    next one.

    Args:
        folder: folder of the bundle.
        manifest: manifest of the bundle.
        options: options of loading; by default `LoadOptions()`.

    Raises:
        ProviderError: ONNX Runtime or the device is not available.
        BundleError: a graph cannot be loaded, or the device needs one that the bundle does not have.
        ConfigError: a bad option.
        DeviceMemoryError: the weights do not fit in the device's memory.
        MemoryLimitError: the bundle does not fit in the memory of the container or the machine.
    """
    options = options or LoadOptions()
    manifest = options.limited(manifest)
    onnxruntime = import_onnxruntime()
    warn_of_two_runtimes()
    warn_of_outdated_runtime(onnxruntime)
    if manifest.head is not None:
        return _open_classifier(onnxruntime, folder, manifest, options)
    spec = choose_backend(onnxruntime, options.device, manifest.precision)
    try:
        return spec.open(onnxruntime, folder, manifest, options)
    except (ProviderError, DeviceMemoryError) as error:
        fallbacks = [other for other in BACKENDS[BACKENDS.index(spec) + 1 :] if other.runs(manifest.precision)]
        if options.device != _AUTO or not fallbacks:
            raise
        warnings.warn(f"{fallbacks[0].title} is used, because {error}", RuntimeWarning, stacklevel=3)
    return fallbacks[0].open(onnxruntime, folder, manifest, options)


def _open_classifier(onnxruntime: OnnxRuntime, folder: Path, manifest: Manifest, options: LoadOptions) -> Backend[Any]:
    last = BACKENDS[-1]
    if options.device not in {_AUTO, last.device}:
        raise ProviderError(
            f"device is {options.device}, but bundles with a classification head run on the CPU only: choose device "
            f"{last.device} or {_AUTO}"
        )
    return choose_backend(onnxruntime, last.device, manifest.precision).open(onnxruntime, folder, manifest, options)


def choose_backend(onnxruntime: OnnxRuntime, device: str, precision: str) -> BackendSpec:
    """Returns the backend for a device and a bundle's precision.

    Raises:
        ConfigError: there is no such device.
        ProviderError: the device was requested by name and is not available, or there is none that runs the bundle.
    """
    by_name = {spec.device: spec for spec in BACKENDS}
    if device == _AUTO:
        for spec in BACKENDS:
            if spec.runs(precision) and spec.is_available(onnxruntime):
                return spec
        lacking = next(spec for spec in BACKENDS if spec.runs(precision))
        last = BACKENDS[-1]
        raise ProviderError(last.not_run(precision, f"the installed one has no {lacking.device.upper()} provider"))
    if device not in by_name:
        raise ConfigError(f"device is {device!r}: choose one of {', '.join([_AUTO, *sorted(by_name)])}")
    spec = by_name[device]
    if not spec.is_available(onnxruntime):
        raise ProviderError(f"device is {device}, but {spec.no_provider}; or choose device {BACKENDS[-1].device}")
    if not spec.runs(precision):
        raise ProviderError(spec.not_run(precision, f"device is {device}"))
    return spec
