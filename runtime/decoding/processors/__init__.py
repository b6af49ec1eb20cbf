"""Changes to the logits before a token is chosen: what a sequence may not say, must say, or says less gladly."""

from biogpt_onnx.runtime.decoding.processors.build import distribution_rules, processors_for
from biogpt_onnx.runtime.decoding.processors.protocol import LogitsProcessor

__all__ = ["LogitsProcessor", "distribution_rules", "processors_for"]
