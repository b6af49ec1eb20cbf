import importlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from biogpt_onnx.runtime.errors import ConfigError, ProviderError
from biogpt_onnx.runtime.ort import providers


def runtime_with(*names: str) -> Any:
    return SimpleNamespace(get_available_providers=lambda: list(names))


def test_auto_takes_the_cpu_where_there_is_nothing_else() -> None:
    assert providers.choose_provider(runtime_with("CPUExecutionProvider"), "auto", "fp32") == "CPUExecutionProvider"


def test_auto_does_not_take_a_gpu_that_cannot_run_the_bundle() -> None:
    runtime = runtime_with("CUDAExecutionProvider", "CPUExecutionProvider")
    assert providers.choose_provider(runtime, "auto", "fp32") == "CPUExecutionProvider"


def test_cuda_that_cannot_be_had_is_an_error_and_never_replaced() -> None:
    with pytest.raises(ProviderError, match=r"biogpt-onnx\[gpu\]"):
        providers.choose_provider(runtime_with("CPUExecutionProvider"), "cuda", "fp32")
    with pytest.raises(ProviderError, match=r"fp32 bundles run on the CPU only: .* recipe fp16"):
        providers.choose_provider(runtime_with("CUDAExecutionProvider"), "cuda", "fp32")


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_half_precision_runs_on_a_gpu_where_there_is_one(precision: str, device: providers.Device) -> None:
    runtime = runtime_with("CUDAExecutionProvider", "CPUExecutionProvider")
    assert providers.choose_provider(runtime, device, precision) == "CUDAExecutionProvider"


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_without_a_gpu_fp16_runs_on_the_cpu_and_bf16_is_an_error(device: providers.Device) -> None:
    runtime = runtime_with("CPUExecutionProvider")
    assert providers.choose_provider(runtime, device, "fp16") == "CPUExecutionProvider"
    why = "device is cpu" if device == "cpu" else "the installed one has no CUDA provider"
    with pytest.raises(ProviderError, match=f"bf16 bundles on an NVIDIA GPU only, and {why}: .*such as fp16"):
        providers.choose_provider(runtime, device, "bf16")


def test_half_precision_asked_onto_a_gpu_that_cannot_be_had_is_an_error() -> None:
    with pytest.raises(ProviderError, match=r"biogpt-onnx\[gpu\]"):
        providers.choose_provider(runtime_with("CPUExecutionProvider"), "cuda", "bf16")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="device is 'tpu'"):
        providers.choose_provider(runtime_with("CPUExecutionProvider"), "tpu", "fp32")  # type: ignore[arg-type]


def test_a_missing_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = importlib.import_module

    def import_module(name: str, package: str | None = None) -> object:
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'")
        return real_import(name, package)

    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(ProviderError, match=r"biogpt-onnx\[cpu\]"):
        providers.import_onnxruntime()


def test_two_runtimes_in_one_environment_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.0")
    with pytest.warns(RuntimeWarning, match="overwrite each other"):
        providers.warn_of_two_runtimes()


def test_telemetry_is_off_before_the_library_is_loaded() -> None:
    program = (
        "import builtins, os\n"
        "real = builtins.__import__\n"
        "def spy(name, *rest):\n"
        "    if name.startswith('onnxruntime'):\n"
        "        assert os.environ.get('ORT_DISABLE_TELEMETRY') == '1', 'too late'\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = spy\n"
        "from biogpt_onnx.runtime.ort.providers import import_onnxruntime\n"
        "import_onnxruntime()\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_nothing_is_kept_in_the_users_folders(tmp_path: Path, mini_bundle: Path) -> None:
    # Where telemetry is on, ONNX Runtime keeps a device id under the user's cache folder.
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    program = "import sys, biogpt_onnx; biogpt_onnx.load(sys.argv[1]).generate('Aspirin', max_new_tokens=2)"
    subprocess.run([sys.executable, "-c", program, str(mini_bundle)], check=True, env=environment)
    assert list(tmp_path.iterdir()) == []
