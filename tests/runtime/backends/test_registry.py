"""Which device is taken, and what is said where a GPU cannot be had."""

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import onnxruntime
import pytest

import biogpt_onnx
from biogpt_onnx import DeviceMemoryError, ProviderError
from biogpt_onnx.cli import main
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends import registry
from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cuda import diagnosis, session
from biogpt_onnx.runtime.backends.cuda.backend import CudaBackend
from biogpt_onnx.runtime.backends.cuda.session import DeviceSession
from biogpt_onnx.runtime.backends.registry import choose_backend
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.options import Device
from makers.devices import STAND_IN

FULL = "CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc"


class RuntimeWithGpu:
    """ONNX Runtime with a CUDA provider that fails with this message, or works on the CPU's memory instead."""

    def __init__(self, failure: str | None) -> None:
        self.failure = failure
        self.severities: list[int] = []
        self.OrtValue = SimpleNamespace(
            ortvalue_from_shape_and_type=self._new_tensor,
            ortvalue_from_numpy=onnxruntime.OrtValue.ortvalue_from_numpy,
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(onnxruntime, name)

    def get_available_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def set_default_logger_severity(self, severity: int) -> None:
        self.severities.append(severity)

    def _new_tensor(self, *arguments: Any) -> Any:
        if self.failure:
            raise RuntimeError(self.failure)
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(*arguments[:2])


@pytest.fixture(scope="module")
def bundles(mini_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("devices")
    for name in ("fp16", "bf16"):
        quantize_bundle(mini_bundle, folder / name, RECIPES[name])
    return {"fp32": mini_bundle, "fp16": folder / "fp16", "bf16": folder / "bf16"}


def with_gpu(monkeypatch: pytest.MonkeyPatch, failure: str | None, lacking: str | None = None) -> RuntimeWithGpu:
    runtime = RuntimeWithGpu(failure)
    monkeypatch.setattr(registry, "import_onnxruntime", lambda: runtime)
    monkeypatch.setattr(diagnosis, "preload", lambda _: None)
    monkeypatch.setattr(diagnosis, "what_cuda_lacks", lambda _: lacking)
    return runtime


def test_auto_takes_the_cpu_where_the_gpu_fails_and_says_why(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gpu(monkeypatch, "CUDA failure 35", "the NVIDIA driver cannot be loaded: install it")
    with pytest.warns(RuntimeWarning, match="the CPU is used, because the GPU cannot be used: the NVIDIA driver"):
        model = biogpt_onnx.load(bundles["fp16"])
    assert model.device == "cpu"
    assert model.generate("Aspirin", max_new_tokens=2).timings.captured_steps == 0


def test_auto_takes_the_cpu_where_the_gpus_memory_is_full(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gpu(monkeypatch, FULL)
    with pytest.warns(RuntimeWarning, match="the CPU is used, because a single number does not fit in the device's"):
        assert biogpt_onnx.load(bundles["fp16"]).device == "cpu"


@pytest.mark.parametrize(("precision", "device"), [("fp16", "cuda"), ("bf16", "cuda"), ("bf16", "auto")])
def test_a_gpu_that_was_asked_for_or_is_needed_is_an_error_that_says_what_is_missing(
    bundles: dict[str, Path], precision: str, device: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gpu(monkeypatch, "CUDA failure 35", "cuDNN's library libcudnn.so.9 is missing")
    with pytest.raises(ProviderError, match=r"^the GPU cannot be used: cuDNN's library libcudnn.so.9 is missing$"):
        biogpt_onnx.load(bundles[precision], device=device)


def test_what_nothing_explains_is_said_in_onnx_runtimes_words(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gpu(monkeypatch, "CUDA failure 999: unknown error\nand a stack of calls")
    with pytest.raises(ProviderError, match=r"^the GPU cannot be used: CUDA failure 999: unknown error$"):
        biogpt_onnx.load(bundles["fp16"], device="cuda")


def test_a_full_gpu_that_was_asked_for_is_an_error_about_memory(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gpu(monkeypatch, FULL)
    with pytest.raises(DeviceMemoryError, match="does not fit in the device's memory"):
        biogpt_onnx.load(bundles["fp16"], device="cuda")


def test_the_command_line_says_it_in_one_line(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_gpu(monkeypatch, "CUDA failure 35", "the NVIDIA driver cannot be loaded: install it")
    assert main(["generate", str(bundles["fp16"]), "Aspirin", "--device", "cuda"]) == 2
    error = capsys.readouterr().err
    assert error == "error: the GPU cannot be used: the NVIDIA driver cannot be loaded: install it\n"


def test_a_gpu_that_works_is_taken_and_named(bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = with_gpu(monkeypatch, None)
    monkeypatch.setattr(
        session, "DeviceSession", lambda _, folder, manifest: DeviceSession(onnxruntime, folder, manifest, STAND_IN)
    )
    with warnings.catch_warnings(action="error"):
        model = biogpt_onnx.load(bundles["fp16"])
    assert model.device == STAND_IN.name
    assert isinstance(model._backend, CudaBackend)
    # ONNX Runtime's log is silenced for the trial alone.
    assert runtime.severities == [4, 2]


def test_a_float32_bundle_stays_on_the_cpu(bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpu(monkeypatch, "never to be seen")
    assert biogpt_onnx.load(bundles["fp32"]).device == "cpu"


def runtime_with(*names: str) -> Any:
    return SimpleNamespace(get_available_providers=lambda: list(names))


def test_auto_takes_the_cpu_where_there_is_nothing_else() -> None:
    assert choose_backend(runtime_with("CPUExecutionProvider"), "auto", "fp32").provider == "CPUExecutionProvider"


def test_auto_does_not_take_a_gpu_that_cannot_run_the_bundle() -> None:
    runtime = runtime_with("CUDAExecutionProvider", "CPUExecutionProvider")
    assert choose_backend(runtime, "auto", "fp32").provider == "CPUExecutionProvider"


def test_cuda_that_cannot_be_had_is_an_error_and_never_replaced() -> None:
    with pytest.raises(ProviderError, match=r"biogpt-onnx\[gpu\]"):
        choose_backend(runtime_with("CPUExecutionProvider"), "cuda", "fp32")
    with pytest.raises(ProviderError, match=r"fp32 bundles run on the CPU only: .* recipe fp16"):
        choose_backend(runtime_with("CUDAExecutionProvider"), "cuda", "fp32")


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_half_precision_runs_on_a_gpu_where_there_is_one(precision: str, device: Device) -> None:
    runtime = runtime_with("CUDAExecutionProvider", "CPUExecutionProvider")
    assert choose_backend(runtime, device, precision).provider == "CUDAExecutionProvider"


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_without_a_gpu_fp16_runs_on_the_cpu_and_bf16_is_an_error(device: Device) -> None:
    runtime = runtime_with("CPUExecutionProvider")
    assert choose_backend(runtime, device, "fp16").provider == "CPUExecutionProvider"
    why = "device is cpu" if device == "cpu" else "the installed one has no CUDA provider"
    with pytest.raises(ProviderError, match=f"bf16 bundles on an NVIDIA GPU only, and {why}: .*such as fp16"):
        choose_backend(runtime, device, "bf16")


def test_half_precision_asked_onto_a_gpu_that_cannot_be_had_is_an_error() -> None:
    with pytest.raises(ProviderError, match=r"biogpt-onnx\[gpu\]"):
        choose_backend(runtime_with("CPUExecutionProvider"), "cuda", "bf16")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="device is 'tpu'"):
        choose_backend(runtime_with("CPUExecutionProvider"), "tpu", "fp32")


def test_the_devices_that_can_be_named_are_those_of_the_backends() -> None:
    # One that only the registry knew could not be given on the command line.
    assert get_args(Device) == ("auto", *sorted(spec.device for spec in registry.BACKENDS))


def test_the_help_of_the_tasks_commands_names_each_devices_batch_size(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["relations", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert f"(default {CpuBackend.default_batch_size}, on a GPU {CudaBackend.default_batch_size})" in text
