"""What the registry knows of a backend before it is opened."""

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
    """A kind of device, and how a bundle is opened on it.

    Attributes:
        device: the name that users give.
        title: its name in a sentence, such as "the CPU".
        provider: ONNX Runtime's execution provider.
        runs: takes a bundle's precision; True if the provider has kernels for it.
        no_provider: clause with the remedy, for where the installed ONNX Runtime lacks the provider.
        not_run: takes a bundle's precision that it does not run, and the reason why no other backend does; returns the
            error's message with the remedy.
        open: opens a bundle.
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
