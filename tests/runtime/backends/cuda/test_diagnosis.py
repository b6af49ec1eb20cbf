import ctypes
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from biogpt_onnx.runtime.backends.cuda.diagnosis import preload, what_cuda_lacks
from biogpt_onnx.runtime.ort import providers
from biogpt_onnx.runtime.system import kind

MISSING = "cannot open shared object file: No such file or directory"
PROVIDER_LIBRARY = "libonnxruntime_providers_cuda.so"


class Driver:
    """Answers as libcuda.so.1 does: a code of 0 or an error's, and numbers through pointers."""

    def __init__(self, *, init: int = 0, count_code: int = 0, count: int = 1, version: int = 13000) -> None:
        self.cuInit = lambda _flags: init
        self.cuDeviceGetCount = lambda pointer: write(pointer, count, count_code)
        self.cuDriverGetVersion = lambda pointer: write(pointer, version, 0)


def write(pointer: Any, value: int, code: int) -> int:
    pointer._obj.value = value
    return code


def loader(driver: Driver | None = None, **failures: str) -> Callable[[str], Any]:
    """Loads every library but those that a failure is given for, by the name's first part."""

    def load(name: str) -> Any:
        first = Path(name).name.partition(".")[0]
        if first in failures:
            raise OSError(failures[first])
        return driver or Driver()

    return load


def onnxruntime_with(*providers: str, **attributes: Any) -> Any:
    attributes = {"cuda_version": "13.0", "__file__": "/site-packages/onnxruntime/__init__.py"} | attributes
    return SimpleNamespace(get_available_providers=lambda: list(providers), **attributes)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The distributions that seem to be installed, on Linux."""
    names = ["onnxruntime-gpu"]

    monkeypatch.setattr(providers, "installed_runtimes", lambda: sorted(names))
    monkeypatch.setattr(kind, "NAME", kind.LINUX)
    return names


@pytest.fixture
def runtime() -> Any:
    return onnxruntime_with("CUDAExecutionProvider", "CPUExecutionProvider")


def test_a_gpu_that_works_is_not_blamed(runtime: Any) -> None:
    assert what_cuda_lacks(runtime, loader()) is None


def test_of_two_runtimes_both_are_uninstalled_before_anything_else_is_looked_for(installed: list[str]) -> None:
    installed.append("onnxruntime")
    clause = what_cuda_lacks(onnxruntime_with("CPUExecutionProvider"), loader(libcuda=f"libcuda.so.1: {MISSING}"))
    assert clause == (
        "onnxruntime and onnxruntime-gpu are both installed and overwrite each other: uninstall both, "
        'then pip install "biogpt-onnx[gpu]"'
    )


def test_the_runtime_for_the_cpu_is_not_taken_for_a_missing_driver() -> None:
    clause = what_cuda_lacks(onnxruntime_with("CPUExecutionProvider"), loader(libcuda=f"libcuda.so.1: {MISSING}"))
    assert clause == (
        "the installed ONNX Runtime has no CUDA provider: pip uninstall onnxruntime, "
        'then pip install "biogpt-onnx[gpu]"'
    )


def test_a_missing_driver_is_named_before_the_libraries_that_pip_could_install(runtime: Any) -> None:
    load = loader(libcuda=f"libcuda.so.1: {MISSING}", libonnxruntime_providers_cuda=f"libcublasLt.so.13: {MISSING}")
    clause = what_cuda_lacks(runtime, load)
    assert clause is not None
    assert clause.startswith(f"the NVIDIA driver cannot be loaded (libcuda.so.1: {MISSING}): install it")
    assert "pip" not in clause


@pytest.mark.parametrize(
    ("driver", "reason"),
    [
        (Driver(init=100), "CUDA error 100"),
        (Driver(init=803), "CUDA error 803"),
        (Driver(count_code=3), "CUDA error 3"),
        (Driver(count=0), "it counts 0"),
    ],
)
def test_a_driver_without_a_gpu_says_by_which_error(runtime: Any, driver: Driver, reason: str) -> None:
    clause = what_cuda_lacks(runtime, loader(driver, libonnxruntime_providers_cuda=f"libcublasLt.so.13: {MISSING}"))
    assert clause == (
        f"the NVIDIA driver finds no GPU that it can use ({reason}): see whether nvidia-smi lists one, "
        "and whether CUDA_VISIBLE_DEVICES hides it"
    )


def test_an_old_driver_is_to_be_replaced_and_not_the_libraries(runtime: Any) -> None:
    assert what_cuda_lacks(runtime, loader(Driver(version=12080))) == (
        "the NVIDIA driver goes up to CUDA 12.8, the installed ONNX Runtime needs CUDA 13: install a newer driver"
    )


@pytest.mark.parametrize("version", [13000, 13050, 14000])
def test_a_driver_of_the_same_major_version_or_a_newer_one_is_not_called_old(version: int) -> None:
    runtime = onnxruntime_with("CUDAExecutionProvider", cuda_version="13.4")
    assert what_cuda_lacks(runtime, loader(Driver(version=version))) is None


@pytest.mark.parametrize("attributes", [{"cuda_version": ""}, {"cuda_version": None}])
def test_a_runtime_that_does_not_say_its_cuda_calls_no_driver_old(attributes: dict[str, Any]) -> None:
    runtime = onnxruntime_with("CUDAExecutionProvider", **attributes)
    assert what_cuda_lacks(runtime, loader(Driver(version=1000))) is None


@pytest.mark.parametrize(
    ("library", "owner"),
    [
        ("libcublasLt.so.13", "CUDA"),
        ("libcudart.so.13", "CUDA"),
        ("libcurand.so.10", "CUDA"),
        ("libnvrtc.so.13", "CUDA"),
        ("libcudnn.so.9", "cuDNN"),
    ],
)
def test_a_missing_library_is_named_and_whose_it_is(runtime: Any, library: str, owner: str) -> None:
    load = loader(libonnxruntime_providers_cuda=f"{library}: {MISSING}")
    assert what_cuda_lacks(runtime, load) == (
        f'{owner}\'s library {library} is missing: pip install "biogpt-onnx[gpu]" brings it'
    )


def test_cudnn_is_found_missing_though_the_provider_loads_without_it(runtime: Any) -> None:
    clause = what_cuda_lacks(runtime, loader(libcudnn=f"libcudnn.so.9: {MISSING}"))
    assert clause == 'cuDNN\'s library libcudnn.so.9 is missing: pip install "biogpt-onnx[gpu]" brings it'


def test_the_provider_is_looked_for_where_the_runtime_lies() -> None:
    names: list[str] = []

    def load(name: str) -> Driver:
        names.append(name)
        return Driver()

    what_cuda_lacks(onnxruntime_with("CUDAExecutionProvider", __file__="/here/onnxruntime/__init__.py"), load)
    assert f"/here/onnxruntime/capi/{PROVIDER_LIBRARY}" in names


def test_libraries_that_pip_installed_are_not_called_missing() -> None:
    loaded: list[str] = []
    runtime = onnxruntime_with("CUDAExecutionProvider", preload_dlls=lambda: loaded.append("libcublasLt.so.13"))

    def load(name: str) -> Driver:
        if name.endswith(PROVIDER_LIBRARY) and not loaded:
            raise OSError(f"libcublasLt.so.13: {MISSING}")
        return Driver()

    assert what_cuda_lacks(runtime, load) is None


def test_what_the_runtime_itself_hands_to_the_provider_is_not_called_missing(runtime: Any) -> None:
    load = loader(libonnxruntime_providers_cuda=f"/x/{PROVIDER_LIBRARY}: undefined symbol: Provider_GetHost")
    assert what_cuda_lacks(runtime, load) is None


@pytest.mark.parametrize(
    "message",
    [
        "/x/libcublas.so.13: undefined symbol: cublasLtMatmul, version libcublasLt.so.13",
        "/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found\n(required by /x/libonnxruntime_providers_cuda.so)",
        "libcublas.so.13: failed to map segment from shared object",
        f"libstdc++.so.6: {MISSING}",
        f"/x/{PROVIDER_LIBRARY}: {MISSING}",
    ],
)
def test_what_is_no_missing_library_of_cuda_is_told_in_the_loaders_words_on_one_line(
    runtime: Any, message: str
) -> None:
    clause = what_cuda_lacks(runtime, loader(libonnxruntime_providers_cuda=message))
    assert clause == (
        f"ONNX Runtime's CUDA provider cannot be loaded ({' '.join(message.split())}): "
        'pip uninstall onnxruntime-gpu, then pip install "biogpt-onnx[gpu]"'
    )


@pytest.mark.parametrize("system", [kind.WINDOWS, kind.MACOS])
def test_where_libraries_have_other_names_none_is_called_missing(
    monkeypatch: pytest.MonkeyPatch, runtime: Any, system: str
) -> None:
    monkeypatch.setattr(kind, "NAME", system)
    assert what_cuda_lacks(runtime, loader(libcuda=f"libcuda.so.1: {MISSING}")) is None


@pytest.mark.skipif(sys.platform != "linux", reason="the names are those of Linux")
def test_the_systems_loader_names_what_it_misses_as_it_is_read_here(runtime: Any, tmp_path: Path) -> None:
    def load(name: str) -> Any:
        return ctypes.CDLL("libcudart.so.99") if name.endswith(PROVIDER_LIBRARY) else Driver()

    clause = what_cuda_lacks(runtime, load)
    assert clause is not None
    assert clause.startswith("CUDA's library libcudart.so.99 is missing: ")
    runtime.__file__ = str(tmp_path / "__init__.py")
    clause = what_cuda_lacks(runtime, lambda name: ctypes.CDLL(name) if name.startswith("/") else Driver())
    assert clause is not None
    assert clause.startswith("ONNX Runtime's CUDA provider cannot be loaded (/")


def test_libraries_are_loaded_ahead_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    calls: list[str] = []

    def preload_dlls() -> None:
        calls.append("called")
        print("Failed to load libcublasLt.so.13")  # noqa: T201 -- as ONNX Runtime does
        warnings.warn("Failed to register", stacklevel=1)
        raise RuntimeError("the directory does not exist")

    preload(onnxruntime_with(preload_dlls=preload_dlls))
    assert calls == ["called"]
    assert capfd.readouterr() == ("", "")


def test_a_warning_does_not_stop_the_libraries_that_come_after_it() -> None:
    loaded: list[str] = []

    def preload_dlls() -> None:
        warnings.warn("the first library is missing", stacklevel=1)
        loaded.append("the second")

    preload(onnxruntime_with(preload_dlls=preload_dlls))
    assert loaded == ["the second"]


def test_a_runtime_that_cannot_load_ahead_is_no_error() -> None:
    preload(onnxruntime_with())
