"""BioGPT on ONNX Runtime: load a bundle, generate biomedical text.

import biogpt_onnx

model = biogpt_onnx.load("bundles/mini")
print(model.generate("Aspirin inhibits", max_new_tokens=32).text)
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from biogpt_onnx import _interrupts  # noqa: F401 -- the first, for what it does
from biogpt_onnx._version import __version__

if TYPE_CHECKING:
    from biogpt_onnx.runtime.asynchronous import AsyncBatchStream, AsyncTextStream
    from biogpt_onnx.runtime.classification.results import EntitySpan, TextClassification, TokenTag, TokenTags
    from biogpt_onnx.runtime.concurrency.model import ConcurrentBioGPT
    from biogpt_onnx.runtime.concurrency.pass_report import PassReport
    from biogpt_onnx.runtime.decoding.config import GenerationConfig
    from biogpt_onnx.runtime.decoding.prefix import Prefix
    from biogpt_onnx.runtime.decoding.selection.constraints import TokenTrie
    from biogpt_onnx.runtime.decoding.settings import Settings
    from biogpt_onnx.runtime.engine import BioGPT
    from biogpt_onnx.runtime.errors import (
        BioGptError,
        BundleError,
        CancelledError,
        CheckpointError,
        ConfigError,
        DeviceMemoryError,
        DocumentError,
        MemoryLimitError,
        ModelClosedError,
        PromptError,
        ProviderError,
    )
    from biogpt_onnx.runtime.loading import load
    from biogpt_onnx.runtime.results import (
        Choice,
        Choices,
        Generation,
        Hypothesis,
        Score,
        TextPiece,
        Timings,
        TokenLogprob,
        TopToken,
        Usage,
    )
    from biogpt_onnx.runtime.stream import BatchStream, PieceStream, TextStream
    from biogpt_onnx.runtime.tokenizer import BioGptTokenizer, TokenSpan

__all__ = [
    "AsyncBatchStream",
    "AsyncTextStream",
    "BatchStream",
    "BioGPT",
    "BioGptError",
    "BioGptTokenizer",
    "BundleError",
    "CancelledError",
    "CheckpointError",
    "Choice",
    "Choices",
    "ConcurrentBioGPT",
    "ConfigError",
    "DeviceMemoryError",
    "DocumentError",
    "EntitySpan",
    "Generation",
    "GenerationConfig",
    "Hypothesis",
    "MemoryLimitError",
    "ModelClosedError",
    "PassReport",
    "PieceStream",
    "Prefix",
    "PromptError",
    "ProviderError",
    "Score",
    "Settings",
    "TextClassification",
    "TextPiece",
    "TextStream",
    "Timings",
    "TokenLogprob",
    "TokenSpan",
    "TokenTag",
    "TokenTags",
    "TokenTrie",
    "TopToken",
    "Usage",
    "__version__",
    "load",
]

if not TYPE_CHECKING:  # who checks types shall not take every name for one of the package
    _MODULES = {
        "runtime.asynchronous": ("AsyncBatchStream", "AsyncTextStream"),
        "runtime.classification.results": ("EntitySpan", "TextClassification", "TokenTag", "TokenTags"),
        "runtime.concurrency.model": ("ConcurrentBioGPT",),
        "runtime.concurrency.pass_report": ("PassReport",),
        "runtime.decoding.config": ("GenerationConfig",),
        "runtime.decoding.prefix": ("Prefix",),
        "runtime.decoding.selection.constraints": ("TokenTrie",),
        "runtime.decoding.settings": ("Settings",),
        "runtime.engine": ("BioGPT",),
        "runtime.errors": (
            "BioGptError",
            "BundleError",
            "CancelledError",
            "CheckpointError",
            "ConfigError",
            "DeviceMemoryError",
            "DocumentError",
            "MemoryLimitError",
            "ModelClosedError",
            "PromptError",
            "ProviderError",
        ),
        "runtime.loading": ("load",),
        "runtime.results": (
            "Choice",
            "Choices",
            "Generation",
            "Hypothesis",
            "Score",
            "TextPiece",
            "Timings",
            "TokenLogprob",
            "TopToken",
            "Usage",
        ),
        "runtime.stream": ("BatchStream", "PieceStream", "TextStream"),
        "runtime.tokenizer": ("BioGptTokenizer", "TokenSpan"),
    }
    """Modules of the public names, which are imported with the first of them that a program asks for."""

    def __getattr__(name: str) -> object:
        """Imports a public name when it is first asked for; later it is found without."""
        for module, names in _MODULES.items():
            if name in names:
                value = getattr(_import_module(f"{__name__}.{module}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """Returns the names of the package, also of those that are not imported yet."""
        return sorted({*globals(), *__all__})
