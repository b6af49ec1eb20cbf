"""BioGPT on ONNX Runtime: load a bundle, generate biomedical text.

import biogpt_onnx

model = biogpt_onnx.load("bundles/mini")
print(model.generate("Aspirin inhibits", max_new_tokens=32).text)
"""

from biogpt_onnx._version import __version__
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.engine import BioGPT, load
from biogpt_onnx.runtime.errors import (
    BioGptError,
    BundleError,
    CheckpointError,
    ConfigError,
    PromptError,
    ProviderError,
)
from biogpt_onnx.runtime.results import Generation, Hypothesis, Score, Timings

__all__ = [
    "BioGPT",
    "BioGptError",
    "BundleError",
    "CheckpointError",
    "ConfigError",
    "Generation",
    "GenerationConfig",
    "Hypothesis",
    "PromptError",
    "ProviderError",
    "Score",
    "Timings",
    "__version__",
    "load",
]
