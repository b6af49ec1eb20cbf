"""Names of a bundle's files, and of its graphs' inputs and outputs.

This module alone knows these names; whatever writes or reads a bundle takes them from here.
"""

MANIFEST_FILE = "bundle.json"
UNFINISHED_MANIFEST_FILE = f".{MANIFEST_FILE}"
MODEL_FILE = "model.onnx"
CAUSAL_MODEL_FILE = "causal.onnx"
MIXED_MODEL_FILE = "mixed.onnx"
RAGGED_MODEL_FILE = "ragged.onnx"
STEPS_MODEL_FILE = "steps.onnx"
WEIGHTS_FILE = "model.onnx.data"
CACHE_SCALES_FILE = "cache_scales.data"
"""Scales of keys and values in 8 bits: little-endian float32 [layers, 2, heads, head_size], keys first."""
CONFIG_FILE = "config.json"
VOCAB_FILE = "vocab.json"
MERGES_FILE = "merges.txt"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
REQUIRED_FILES = (MODEL_FILE, CONFIG_FILE, VOCAB_FILE, MERGES_FILE)

INPUT_IDS = "input_ids"
POSITION_IDS = "position_ids"
SEQLENS_K = "seqlens_k"
TOTAL_SEQUENCE_LENGTH = "total_sequence_length"
ATTENTION_BIAS = "attention_bias"
LOGITS_INDICES = "logits_indices"
LOGITS_LIMIT = "logits_limit"
QUERY_SEQLENS = "query_seqlens"
STEP_IDS = "step_ids"
STEP_POSITION_IDS = "step_position_ids"
LOGITS = "logits"
HIDDEN_STATES = "hidden_states"
BEST_IDS = "best_ids"
BEST_LOG_PROBABILITIES = "best_log_probabilities"


def past_name(layer: int, part: str) -> str:
    """Returns the name of the graph input that holds a layer's cache; `part` is "key" or "value"."""
    return f"past_key_values.{layer}.{part}"


def present_name(layer: int, part: str) -> str:
    """Returns the name of the graph output that holds a layer's cache; `part` is "key" or "value"."""
    return f"present.{layer}.{part}"


def step_past_name(layer: int, part: str) -> str:
    """Returns the name of the mixed graph's input that holds a layer's cache of the sequences that step."""
    return f"step_past_key_values.{layer}.{part}"


def step_present_name(layer: int, part: str) -> str:
    """Returns the name of the mixed graph's output that holds a layer's cache of the sequences that step."""
    return f"step_present.{layer}.{part}"
