"""BioGPT on ONNX Runtime: load a bundle, generate biomedical text.

import biogpt_onnx

model = biogpt_onnx.load("bundles/mini")
print(model.generate("Aspirin inhibits", max_new_tokens=32).text)
"""

from biogpt_onnx._version import __version__
from biogpt_onnx.runtime.classification.results import EntitySpan, TextClassification, TokenTag, TokenTags
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.selection.constraints import TokenTrie
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import (
    BioGptError,
    BundleError,
    CancelledError,
    CheckpointError,
    ConfigError,
    DeviceMemoryError,
    DocumentError,
    PromptError,
    ProviderError,
)
from biogpt_onnx.runtime.loading import load
from biogpt_onnx.runtime.results import Choice, Choices, Generation, Hypothesis, Score, Timings
from biogpt_onnx.runtime.stream import TextStream

__all__ = [
    "BioGPT",
    "BioGptError",
    "BundleError",
    "CancelledError",
    "CheckpointError",
    "Choice",
    "Choices",
    "ConfigError",
    "DeviceMemoryError",
    "DocumentError",
    "EntitySpan",
    "Generation",
    "GenerationConfig",
    "Hypothesis",
    "Prefix",
    "PromptError",
    "ProviderError",
    "Score",
    "TextClassification",
    "TextStream",
    "Timings",
    "TokenTag",
    "TokenTags",
    "TokenTrie",
    "__version__",
    "load",
]
