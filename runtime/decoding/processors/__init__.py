"""Logits processors: rules that forbid, force or reweight tokens before one is selected."""

from biogpt_onnx.runtime.decoding.processors.build import distribution_rules, processors_for
from biogpt_onnx.runtime.decoding.processors.protocol import LogitsProcessor

__all__ = ["LogitsProcessor", "distribution_rules", "processors_for"]
