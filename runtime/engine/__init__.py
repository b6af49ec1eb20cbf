"""The engine: a loaded bundle that generates, streams, chooses, scores, classifies and embeds text."""

from biogpt_onnx.runtime.engine.model import BioGPT

__all__ = ["BioGPT"]
