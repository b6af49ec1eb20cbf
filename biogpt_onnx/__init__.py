"""BioGPT on ONNX Runtime."""

from biogpt_onnx._version import __version__

__all__ = ["__version__"]
