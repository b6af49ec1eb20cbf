"""Models that the GPU's benchmark runs, made by processes of their own, and opened on a device.

Run as `python -m benchmarks.gpu.models MODEL FOLDER`, which writes the bundles of a model and its weights for
transformers into the folder, and the seconds that each took into `made.json` there.
"""

import contextlib
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.processes import CHECKOUT, checkout_environment
from biogpt_onnx import BioGPT
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cuda.backend import CudaBackend
from biogpt_onnx.runtime.backends.cuda.diagnosis import preload, what_cuda_lacks
from biogpt_onnx.runtime.backends.cuda.session import CUDA_DEVICE, Accelerator, DeviceSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.errors import BundleError, ProviderError
from biogpt_onnx.runtime.loading import open_tokenizer
from biogpt_onnx.runtime.ort.protocols import OnnxRuntime
from biogpt_onnx.runtime.ort.providers import CPU_PROVIDER, CUDA_PROVIDER, import_onnxruntime

MINI = "mini"
MINI_CHECKPOINT = CHECKOUT / "checkpoints" / "mini"

ACCELERATORS = {"cuda": CUDA_DEVICE, "cpu": Accelerator("cpu", CPU_PROVIDER)}
"""Devices by the benchmark's option. Where there is no GPU the CPU stands in: all but the kernels is the same."""

_MADE = "made.json"


class Making:
    """A model that is being made in the background.

    Args:
        model: "mini", "biogpt" or "biogpt-large".
        folder: where models are made; one that was made there before is not made again.

    Attributes:
        folder: the model's own: its bundles are in "fp16" and so on, its weights for transformers in "checkpoint".
    """

    def __init__(self, model: str, folder: Path) -> None:
        self.folder = folder / model
        self.folder.mkdir(parents=True, exist_ok=True)
        self._model, self._log = model, self.folder / "making.log"
        command = [sys.executable, "-m", "benchmarks.gpu.models", model, str(self.folder)]
        environment = {**os.environ, **checkout_environment()}
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)

    @property
    def is_running(self) -> bool:
        """True while the model is still being made."""
        return self._process.poll() is None

    def wait(self, seconds: float) -> None:
        """Waits until the model is made, but no longer than so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, seconds))

    def result(self, seconds: float) -> dict[str, float]:
        """Waits for the model and returns the seconds that each step of making it took.

        Args:
            seconds: that are waited at most.

        Raises:
            RuntimeError: the model was not made.
        """
        self.wait(seconds)
        if self.is_running:
            raise RuntimeError(f"{self._model} was still being made when the time for it was over")
        if self._process.returncode != 0:
            lines = self._log.read_text(encoding="utf-8").strip().splitlines() or ["it said nothing"]
            raise RuntimeError(f"{self._model} was not made: {lines[-1]}")
        made: dict[str, float] = json.loads((self.folder / _MADE).read_text(encoding="utf-8"))
        return made

    def stop(self) -> None:
        """Ends the process, whether or not it is done."""
        self._process.terminate()
        self._process.wait()


def open_on(folder: Path, accelerator: Accelerator) -> DeviceSession:
    """Opens a bundle on a device.

    Raises:
        ProviderError: CUDA cannot be used, with the reason.
        BundleError: the bundle cannot be loaded there.
    """
    onnxruntime = import_onnxruntime()
    manifest = read_manifest(folder)
    if accelerator.provider != CUDA_PROVIDER:
        return DeviceSession(onnxruntime, folder, manifest, accelerator)
    preload(onnxruntime)
    try:
        return DeviceSession(onnxruntime, folder, manifest, accelerator)
    except (BundleError, ProviderError) as error:
        failure = error
    # Where ONNX Runtime lies in a folder of its own, it does not look where torch's CUDA libraries are.
    if _loads_with_torch(onnxruntime):
        with contextlib.suppress(ProviderError):
            return DeviceSession(onnxruntime, folder, manifest, accelerator)
    lacking = what_cuda_lacks(onnxruntime)
    if lacking is None:
        raise failure
    raise ProviderError(f"the GPU cannot be used: {lacking}") from failure


def as_model(folder: Path, session: Any) -> BioGPT:  # noqa: ANN401 -- whatever runs a bundle
    """Makes a model over an open session, as `biogpt_onnx.load` does."""
    manifest = read_manifest(folder)
    return BioGPT(CudaBackend(session), open_tokenizer(folder, manifest), manifest)


def weight_bytes(folder: Path) -> int:
    """Returns the size of a bundle's weights, all of which a step reads but for the table of positions."""
    return (folder / bundle.WEIGHTS_FILE).stat().st_size


def _loads_with_torch(onnxruntime: OnnxRuntime) -> bool:
    """Loads torch, with the CUDA libraries that it brings; returns whether that changed anything."""
    if "torch" in sys.modules:
        return False
    with contextlib.suppress(ImportError):
        importlib.import_module("torch")
        preload(onnxruntime)
        return True
    return False


def _make(model: str, folder: Path) -> None:
    from benchmarks.model_files import write_safetensors
    from biogpt_onnx.export.checkpoint.open import open_checkpoint
    from biogpt_onnx.export.exporter import export_bundle
    from biogpt_onnx.quantize.quantizer import quantize_bundle
    from biogpt_onnx.quantize.recipes import RECIPES

    if (folder / _MADE).exists():
        return
    checkpoint = open_checkpoint(MINI_CHECKPOINT if model == MINI else f"preset:{model}")
    seconds, start = {}, perf_counter()
    # What a run that was killed left half done is in the way.
    export_bundle(checkpoint, folder / "fp32", overwrite=True)
    seconds["export_seconds"] = perf_counter() - start
    for recipe in ("fp16", "bf16") if model == MINI else ("fp16",):
        start = perf_counter()
        quantize_bundle(folder / "fp32", folder / recipe, RECIPES[recipe], overwrite=True)
        seconds[f"{recipe}_seconds"] = perf_counter() - start
    if model != MINI:
        shutil.rmtree(folder / "fp32")
    start = perf_counter()
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    write_safetensors(checkpoint, folder / "checkpoint", "float16")
    seconds["safetensors_seconds"] = perf_counter() - start
    (folder / _MADE).write_text(json.dumps({name: round(value, 2) for name, value in seconds.items()}) + "\n")


if __name__ == "__main__":
    _make(sys.argv[1], Path(sys.argv[2]))
