"""The parts of ONNX Runtime's Python API that the runtime uses, which has no types of its own."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
ElementCode = int | type[np.generic]
"""An element type: its number in ONNX, or numpy's type."""


class OrtValue(Protocol):
    """A tensor in the memory of some device."""

    def numpy(self) -> Array:
        """Returns its values; for a tensor on the host, over the same memory."""
        ...

    def data_ptr(self) -> int:
        """Returns its address."""
        ...

    def shape(self) -> list[int]:
        """Returns its shape."""
        ...

    def update_inplace(self, values: Array) -> None:
        """Overwrites its values."""
        ...


class OrtValueFactory(Protocol):
    """The class `OrtValue`, of which only the static methods are used."""

    def ortvalue_from_numpy(self, values: Array, device: str = "cpu", device_id: int = 0, /) -> OrtValue:
        """Returns a tensor of these values: on the host over the same memory, elsewhere a copy."""
        ...

    def ortvalue_from_numpy_with_onnx_type(self, values: Array, onnx_type: int, /) -> OrtValue:
        """Returns a tensor over the same memory, whose elements are of another type of the same size."""
        ...

    def ortvalue_from_shape_and_type(
        self, shape: list[int], element_type: type[np.generic], device: str = "cpu", device_id: int = 0, /
    ) -> OrtValue:
        """Returns a tensor of new memory."""
        ...


class IoBinding(Protocol):
    """The memory from which a session reads its inputs and to which it writes its outputs."""

    def bind_input(  # noqa: PLR0913, PLR0917 -- ONNX Runtime's signature
        self,
        name: str,
        device: str,
        device_id: int,
        element_type: ElementCode,
        shape: Sequence[int],
        address: int,
        /,
    ) -> None:
        """Binds an input to an address."""
        ...

    def bind_output(  # noqa: PLR0913, PLR0917 -- ONNX Runtime's signature
        self,
        name: str,
        device: str,
        device_id: int,
        element_type: ElementCode,
        shape: Sequence[int],
        address: int,
        /,
    ) -> None:
        """Binds an output to an address."""
        ...

    def bind_ortvalue_input(self, name: str, value: OrtValue, /) -> None:
        """Binds an input to a tensor."""
        ...

    def bind_ortvalue_output(self, name: str, value: OrtValue, /) -> None:
        """Binds an output to a tensor."""
        ...


class RunOptions(Protocol):
    """Options of one run.

    Attributes:
        only_execute_path_to_fetches: whether nodes are left out on which no requested output depends.
    """

    only_execute_path_to_fetches: bool

    def add_run_config_entry(self, name: str, value: str, /) -> None:
        """Sets an option."""
        ...


class SessionOptions(Protocol):
    """Options of a session."""

    intra_op_num_threads: int
    graph_optimization_level: Any
    log_severity_level: int
    optimized_model_filepath: str

    def add_session_config_entry(self, name: str, value: str, /) -> None:
        """Sets an option that has no attribute."""
        ...

    def get_session_config_entry(self, name: str, /) -> str:
        """Returns an option that has been set.

        Raises:
            RuntimeError: the option has not been set.
        """
        ...


class GraphValue(Protocol):
    """An input or output of a graph."""

    @property
    def name(self) -> str:
        """Name of the input or output."""
        ...


class InferenceSession(Protocol):
    """A graph that is ready to run."""

    def io_binding(self) -> IoBinding:
        """Returns an empty binding."""
        ...

    def run(
        self, output_names: Sequence[str] | None, inputs: Mapping[str, Array], options: RunOptions | None = None, /
    ) -> list[Array]:
        """Runs the graph over arrays, and returns the outputs that are named; None for all."""
        ...

    def run_with_iobinding(self, binding: IoBinding, options: RunOptions | None = None, /) -> None:
        """Runs the graph over a binding."""
        ...

    def get_inputs(self) -> list[GraphValue]:
        """Returns the graph's inputs."""
        ...

    def get_outputs(self) -> list[GraphValue]:
        """Returns the graph's outputs."""
        ...

    def get_providers(self) -> list[str]:
        """Returns the execution providers that it runs on."""
        ...


class InferenceSessionFactory(Protocol):
    """The class `InferenceSession`."""

    def __call__(
        self,
        model: str | bytes | os.PathLike[str],
        options: SessionOptions,
        *,
        providers: Sequence[str | tuple[str, Mapping[str, str]]],
        enable_fallback: int = 1,
        disabled_optimizers: Sequence[str] | None = None,
    ) -> InferenceSession:
        """Opens a graph."""
        ...


class OnnxRuntime(Protocol):
    """The module `onnxruntime`."""

    __version__: str
    __file__: str | None
    OrtValue: OrtValueFactory
    InferenceSession: InferenceSessionFactory
    GraphOptimizationLevel: Any

    def SessionOptions(self) -> SessionOptions:  # noqa: N802 -- a class
        """Returns the default options of a session."""
        ...

    def RunOptions(self) -> RunOptions:  # noqa: N802 -- a class
        """Returns the default options of a run."""
        ...

    def get_available_providers(self) -> list[str]:
        """Returns the execution providers that this build has."""
        ...

    def get_build_info(self) -> str:
        """Returns a description of the library's build."""
        ...

    def preload_dlls(self) -> None:
        """Loads the libraries of CUDA and cuDNN that pip installed."""
        ...

    def set_default_logger_severity(self, severity: int, /) -> None:
        """Sets the least severity that the library writes to its log."""
        ...
