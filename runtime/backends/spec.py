"""The registry's description of a backend, known before it is opened."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.ort.protocols import OnnxRuntime


@dataclass(frozen=True)
class BackendSpec:
    """A kind of device, and the function that opens a bundle on it.

    Attributes:
        device: name of the device in options.
        title: name of the device in a sentence, such as "the CPU".
        provider: execution provider of ONNX Runtime.
        runs: function that takes a bundle's precision, and returns True if the provider has kernels for it.
        no_provider: clause of an error, with the remedy, for an ONNX Runtime that lacks the provider.
        not_run: function that takes a precision without kernels, and the reason why no other backend is taken; returns
            the error's message with the remedy.
        open: function that opens a bundle.
    """

    device: str
    title: str
    provider: str
    runs: Callable[[str], bool]
    no_provider: str
    not_run: Callable[[str, str], str]
    open: Callable[[OnnxRuntime, Path, Manifest, LoadOptions], Backend[Any]]

    def is_available(self, onnxruntime: OnnxRuntime) -> bool:
        """Returns True if the installed ONNX Runtime has the provider."""
        return self.provider in onnxruntime.get_available_providers()
