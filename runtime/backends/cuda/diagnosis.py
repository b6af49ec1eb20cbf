"""The diagnosis of an NVIDIA GPU that ONNX Runtime cannot use.

ONNX Runtime takes the CPU instead, and names the missing part only in its log.
"""

import contextlib
import ctypes
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.ort.protocols import OnnxRuntime
from biogpt_onnx.runtime.ort.providers import CUDA_PROVIDER, NO_CUDA_PROVIDER, two_runtimes
from biogpt_onnx.runtime.system import kind

_DRIVER = "libcuda.so.1"
_PROVIDER_LIBRARY = "libonnxruntime_providers_cuda.so"
# The provider's library does not list it as a dependency, but loads it once it runs.
_CUDNN = "libcudnn.so.9"
# The symbol that ONNX Runtime passes to the provider's library, which the loader misses only after all other libraries.
_HANDED_OVER = "Provider_GetHost"
_IS_MISSING = "cannot open shared object file"
_INSTALL = 'pip install "biogpt-onnx[gpu]"'


def preload(onnxruntime: OnnxRuntime) -> None:
    """Loads the libraries of CUDA and cuDNN that pip installed, which the system's loader does not find by itself.

    Call it once before the first session on a GPU. It reports no missing libraries; `what_cuda_lacks` does.
    """
    with (
        contextlib.suppress(Exception),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(action="ignore"),
    ):
        onnxruntime.preload_dlls()


def what_cuda_lacks(onnxruntime: OnnxRuntime, load: Callable[[str], Any] = ctypes.CDLL) -> str | None:
    """Finds the cause that keeps ONNX Runtime from using an NVIDIA GPU, once it has failed.

    Args:
        onnxruntime: the module `onnxruntime`.
        load: function that loads a shared library by its name or path, and raises `OSError` with the loader's message.

    Returns:
        One clause that names the cause and the remedy; None if nothing is found.
    """
    if clause := two_runtimes():
        return f"{clause} {_INSTALL}"
    if CUDA_PROVIDER not in onnxruntime.get_available_providers():
        return NO_CUDA_PROVIDER
    if not kind.is_linux():
        return None  # elsewhere the libraries have other names
    return _what_the_driver_lacks(onnxruntime, load) or _missing_library(onnxruntime, load)


def _what_the_driver_lacks(onnxruntime: OnnxRuntime, load: Callable[[str], Any]) -> str | None:
    try:
        driver = load(_DRIVER)
    except OSError as error:
        return (
            f"the NVIDIA driver cannot be loaded ({_one_line(error)}): install it, or start the container with its "
            "GPUs, as docker run --gpus all does"
        )
    return _unusable_gpu(driver) or _old_driver(driver, str(getattr(onnxruntime, "cuda_version", "")))


def _unusable_gpu(driver: Any) -> str | None:  # noqa: ANN401 -- a library of C has no types
    count = ctypes.c_int(0)
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code == 0 and count.value > 0:
        return None
    reason = f"CUDA error {code}" if code else "it counts 0"
    return (
        f"the NVIDIA driver finds no GPU that it can use ({reason}): see whether nvidia-smi lists one, "
        "and whether CUDA_VISIBLE_DEVICES hides it"
    )


def _old_driver(driver: Any, built_for: str) -> str | None:  # noqa: ANN401 -- a library of C has no types
    version = ctypes.c_int(0)
    needed = built_for.partition(".")[0]
    if not needed.isdecimal() or driver.cuDriverGetVersion(ctypes.byref(version)) != 0:
        return None
    # 12080 is 12.8. Within a major version, NVIDIA's older drivers run programs built for newer ones.
    major, minor = version.value // 1000, version.value % 1000 // 10
    if major >= int(needed):
        return None
    return (
        f"the NVIDIA driver goes up to CUDA {major}.{minor}, the installed ONNX Runtime needs CUDA {needed}: "
        "install a newer driver"
    )


def _missing_library(onnxruntime: OnnxRuntime, load: Callable[[str], Any]) -> str | None:
    preload(onnxruntime)
    provider_library = Path(onnxruntime.__file__ or "").parent / "capi" / _PROVIDER_LIBRARY
    for library in (str(provider_library), _CUDNN):
        try:
            load(library)
        except OSError as error:
            if _HANDED_OVER not in str(error):
                return _unloadable(_one_line(error))
    return None


def _unloadable(message: str) -> str:
    library = message.partition(":")[0]
    if _IS_MISSING in message and library.startswith(("libcu", "libnv")):
        owner = "cuDNN" if library.startswith("libcudnn") else "CUDA"
        return f"{owner}'s library {library} is missing: {_INSTALL} brings it"
    return f"ONNX Runtime's CUDA provider cannot be loaded ({message}): pip uninstall onnxruntime-gpu, then {_INSTALL}"


def _one_line(error: OSError) -> str:
    return " ".join(str(error).split())
