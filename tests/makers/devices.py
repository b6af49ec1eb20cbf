"""The runtime for devices, run where there is none: the CPU's memory stands in for a device's."""

from pathlib import Path
from typing import Any

import onnxruntime

from biogpt_onnx import BioGPT
from biogpt_onnx.runtime.backends.cuda.backend import CudaBackend
from biogpt_onnx.runtime.backends.cuda.session import Accelerator, DeviceSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.loading import open_tokenizer

STAND_IN = Accelerator("cpu", "CPUExecutionProvider")


def device_session(folder: Path, accelerator: Accelerator = STAND_IN) -> DeviceSession:
    return DeviceSession(onnxruntime, folder, read_manifest(folder), accelerator)


def device_model(folder: Path, session: DeviceSession) -> BioGPT:
    manifest = read_manifest(folder)
    backend = CudaBackend(session)
    # As on a GPU, where a batch without memory is divided whatever the bundle.
    backend.device = "cuda"
    return BioGPT(backend, open_tokenizer(folder, manifest), manifest)


class CapturingSession:
    """Stands before a session and holds its caller to what a CUDA graph demands: once it is captured, nothing moves.

    Attributes:
        runs: the graph's number at each run, "-1" for none.
        released: the numbers of graphs that were given up.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._captured: dict[str, tuple[Binding, dict[str, object]]] = {}
        self.runs: list[str] = []
        self.released: list[int] = []

    def io_binding(self) -> "Binding":
        return Binding(self._session.io_binding())

    def release_captured_graph(self, number: int) -> None:
        del self._captured[str(number)]
        self.released.append(number)

    def run_with_iobinding(self, binding: "Binding", options: Any) -> None:
        number = options.get_run_config_entry("gpu_graph_id")
        self.runs.append(number)
        if number != "-1":
            first, places = self._captured.setdefault(number, (binding, dict(binding.places)))
            assert first is binding, "a graph is replayed with another binding than it was captured with"
            assert places == binding.places, "something was bound anew after its addresses had been captured"
        self._session.run_with_iobinding(binding.real, options)


class Binding:
    """Remembers what is bound where."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.places: dict[str, object] = {}

    def bind_input(self, name: str, *place: object) -> None:
        self.places[name] = place
        self.real.bind_input(name, *place)

    def bind_output(self, name: str, *place: object) -> None:
        self.places[name] = place
        self.real.bind_output(name, *place)

    def bind_ortvalue_input(self, name: str, value: Any) -> None:
        self.places[name] = value.data_ptr()
        self.real.bind_ortvalue_input(name, value)

    def bind_ortvalue_output(self, name: str, value: Any) -> None:
        self.places[name] = value.data_ptr()
        self.real.bind_ortvalue_output(name, value)


class FullMemory:
    """ONNX Runtime on a device that has no room for tensors from some size on."""

    def __init__(self, most_elements: int) -> None:
        self.most_elements = most_elements
        self.OrtValue = self

    def __getattr__(self, name: str) -> Any:
        return getattr(onnxruntime, name)

    def ortvalue_from_numpy(self, *arguments: Any) -> Any:
        return onnxruntime.OrtValue.ortvalue_from_numpy(*arguments)

    def ortvalue_from_shape_and_type(self, shape: list[int], *rest: Any) -> Any:
        elements = 1
        for size in shape:
            elements *= size
        if elements > self.most_elements:
            raise RuntimeError("BFCArena: Failed to allocate memory for requested buffer of size 123")
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, *rest)
