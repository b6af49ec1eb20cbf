"""The import of ONNX Runtime, and the names of its execution providers."""

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from biogpt_onnx.runtime.errors import ProviderError
from biogpt_onnx.runtime.ort.native_stderr import without_lines_about_processor
from biogpt_onnx.runtime.ort.protocols import OnnxRuntime
from biogpt_onnx.runtime.system import kind

NO_CUDA_PROVIDER = (
    'the installed ONNX Runtime has no CUDA provider: pip uninstall onnxruntime, then pip install "biogpt-onnx[gpu]"'
)
"""Clause that names a fault and its remedy."""

OLDEST = (1, 32)
"""Oldest version of ONNX Runtime with which all tests pass."""

_FOR_GPUS = "onnxruntime-gpu"

_DISTRIBUTIONS = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "onnxruntime-directml",
    "onnxruntime-qnn",
    "onnxruntime-rocm",
    "onnxruntime-migraphx",
    "onnxruntime-training",
    "ort-nightly",
    "ort-nightly-gpu",
    "ort-nightly-directml",
)
"""Distributions that bring the package `onnxruntime`."""

_METADATA_SUFFIXES = frozenset({".dist-info", ".egg-info"})

CPU_PROVIDER = "CPUExecutionProvider"
CUDA_PROVIDER = "CUDAExecutionProvider"


def import_onnxruntime() -> OnnxRuntime:
    """Imports ONNX Runtime, with its telemetry off and without its lines about processors that it does not know.

    Raises:
        ProviderError: ONNX Runtime is not installed or cannot be loaded.
    """
    # Official builds send telemetry unless this is set in the environment before the library is loaded.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        with _quietly():
            # By a statement, which programs that gather an application's modules can see.
            import onnxruntime  # noqa: PLC0415 -- after the environment is set

        onnxruntime.get_available_providers()
    except (ImportError, AttributeError) as error:
        raise ProviderError(
            f"ONNX Runtime cannot be loaded ({error}): "
            'pip install "biogpt-onnx[cpu]", or "biogpt-onnx[gpu]" on a machine with an NVIDIA GPU'
        ) from error
    return cast("OnnxRuntime", onnxruntime)


def _quietly() -> contextlib.AbstractContextManager[None]:
    """Returns a context in which ONNX Runtime may be loaded, and does not write about an unknown processor."""
    if "onnxruntime" in sys.modules or not kind.is_arm64():
        return contextlib.nullcontext()
    return without_lines_about_processor()


def installed_runtimes() -> list[str]:
    """Returns the installed distributions of ONNX Runtime; two write the same files, and one is lost."""
    # Every model that is loaded asks, and importlib.metadata alone takes longer to import than ONNX Runtime.
    found = {name.partition("-")[0].replace("_", "-").lower() for name in _metadata_folders()}
    return [name for name in _DISTRIBUTIONS if name in found]


def two_runtimes() -> str | None:
    """Returns the clause that names several installed distributions, to be followed by the one to install; or None."""
    installed = installed_runtimes()
    if len(installed) < 2:  # noqa: PLR2004 -- two
        return None
    listed, all_of = " and ".join(installed), "both" if len(installed) == 2 else "all"  # noqa: PLR2004 -- two
    return f"{listed} are {all_of} installed and overwrite each other: uninstall {all_of}, then"


def warn_of_two_runtimes() -> None:
    """Warns when two distributions of ONNX Runtime are installed: they write the same files, and one is lost."""
    if clause := two_runtimes():
        warnings.warn(f"{clause} install the one you want", RuntimeWarning, stacklevel=3)


def is_outdated(onnxruntime: OnnxRuntime) -> bool:
    """Returns True for a version before `OLDEST`."""
    found = re.match(r"(\d+)\.(\d+)", onnxruntime.__version__)
    return found is not None and (int(found[1]), int(found[2])) < OLDEST


def outdated(onnxruntime: OnnxRuntime) -> str:
    """Returns the clause that names the installed version, the oldest one that is known to work, and the remedy."""
    oldest = ".".join(map(str, OLDEST))
    return (
        f"ONNX Runtime {onnxruntime.__version__} is installed, and {oldest} is the oldest that is tested: "
        f'pip install --upgrade "onnxruntime>={oldest}"'
    )


def warn_of_outdated_runtime(onnxruntime: OnnxRuntime) -> None:
    """Warns of a version before `OLDEST`, which runs some bundles.

    Not of one for GPUs, which comes out later: the extra `gpu` asks for a version of its own.
    """
    if is_outdated(onnxruntime) and _FOR_GPUS not in installed_runtimes():
        warnings.warn(outdated(onnxruntime), RuntimeWarning, stacklevel=3)


def _metadata_folders() -> Iterator[str]:
    """Yields the names of the installed distributions' metadata folders, such as "numpy-2.4.6.dist-info"."""
    for folder in sys.path:
        # An entry may be an archive, or not exist.
        with contextlib.suppress(OSError):
            yield from [path.name for path in Path(folder).iterdir() if path.suffix in _METADATA_SUFFIXES]
