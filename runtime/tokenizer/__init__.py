"""The tokenizer: text to ids and back, exactly as in BioGPT's training."""

from biogpt_onnx.runtime.tokenizer.incremental import IncrementalDecoder
from biogpt_onnx.runtime.tokenizer.spans import TokenSpan
from biogpt_onnx.runtime.tokenizer.tokenizer import BioGptTokenizer

__all__ = ["BioGptTokenizer", "IncrementalDecoder", "TokenSpan"]
