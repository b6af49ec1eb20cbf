"""Text to ids and back, exactly as BioGPT was trained."""

from biogpt_onnx.runtime.tokenizer.incremental import IncrementalDecoder
from biogpt_onnx.runtime.tokenizer.tokenizer import BioGptTokenizer

__all__ = ["BioGptTokenizer", "IncrementalDecoder"]
