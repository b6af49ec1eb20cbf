"""Outlier checkpoints: they compute the same in float32 as their source, with outliers that make quantization hard.

Large language models have a few channels whose activations are many times the others' (Dettmers et al., LLM.int8(),
2022; Xiao et al., SmoothQuant, 2023), which a small model trained for tests has not. They are made here by scaling
channels of what a linear layer reads, and dividing the columns that read them.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from biogpt_onnx.export.checkpoint.names import HEAD, to_huggingface
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from makers.checkpoints import Tensors

_VOCABULARY_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")
# Who makes a layer's input, and who reads it.
_LAYER_PAIRS = {
    "self_attn_layer_norm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    # Attention mixes the values' tokens, each channel by itself, so a channel's factor goes through it.
    "self_attn.v_proj": ("self_attn.out_proj",),
    "final_layer_norm": ("fc1",),
    # Not fc1 to fc2: between them is GELU, and GELU(c x) is not c GELU(x).
}


def read_tensors(source: Path) -> Tensors:
    """A checkpoint's weights by canonical name, in float32."""
    return {name: tensor.read() for name, tensor in open_checkpoint(source).tensors.items()}


def with_outliers(tensors: Tensors, factor: float, channels: int = 4, seed: int = 0) -> Tensors:
    """Weights with outliers. A power of two as the factor changes no bit of any result, any other only rounding.

    The last normalization is scaled only where the head has weights of its own: a tied head's are the embedding, whose
    columns cannot be divided without changing what the first layer reads.

    Args:
        tensors: by canonical name; they stay as they are.
        factor: by which channels are scaled.
        channels: how many of each layer's input.
        seed: decides which.
    """
    scaled = {name: values.copy() for name, values in tensors.items()}
    generator = np.random.default_rng(seed)
    for maker, readers in _pairs(scaled).items():
        chosen = generator.choice(len(scaled[f"{maker}.bias"]), size=channels, replace=False)
        # A normalization's gain is [features], a linear layer's weight [outputs, inputs]: channels come first in both.
        scaled[f"{maker}.weight"][chosen] *= np.float32(factor)
        scaled[f"{maker}.bias"][chosen] *= np.float32(factor)
        for reader in readers:
            scaled[f"{reader}.weight"][:, chosen] /= np.float32(factor)
    return scaled


def with_massive_token(tensors: Tensors, layer: int = 1, unit: int = 7, channel: int = 5) -> Tensors:
    """Weights with which the first token of every text has a massive value in a layer's feed-forward part.

    Large models have such tokens, the first one above all (Sun et al., Massive Activations in Large Language Models,
    2024). The first position is marked in a channel of the residual stream, one unit of the layer answers to that mark
    alone, and its output decides what follows the token.

    Args:
        tensors: by canonical name; they stay as they are.
        layer: index of the layer whose second feed-forward matrix reads the value.
        unit: intermediate feature that has it.
        channel: channel of the residual stream that marks the position.
    """
    made = {name: values.copy() for name, values in tensors.items()}
    # The published table has two rows before that of the first position.
    made["embed_positions.weight"][2, channel] = 100
    gain = made[f"layers.{layer}.final_layer_norm.weight"][channel]
    made[f"layers.{layer}.fc1.weight"][unit] = 0
    made[f"layers.{layer}.fc1.weight"][unit, channel] = 60 / gain
    made[f"layers.{layer}.fc1.bias"][unit] = -400
    generator = np.random.default_rng(0)
    direction = generator.standard_normal(len(made[f"layers.{layer}.fc2.weight"]))
    made[f"layers.{layer}.fc2.weight"][:, unit] = direction.astype(np.float32)
    return made


def write_outlier_checkpoint(source: Path, target: Path, factor: float, channels: int = 4, seed: int = 0) -> Path:
    """Writes the outlier checkpoint of one in Hugging Face form to a new folder; see `with_outliers`."""
    return write_altered_checkpoint(source, target, with_outliers(read_tensors(source), factor, channels, seed))


def write_altered_checkpoint(source: Path, target: Path, tensors: Mapping[str, np.ndarray]) -> Path:
    """Writes a checkpoint with the source's configuration and vocabulary, and other weights, by canonical name.

    The weights are stored in float32, whatever the other's are: half precision would round scaled ones.
    """
    from safetensors.numpy import save_file  # noqa: PLC0415 -- an extra

    target.mkdir(parents=True)
    config = json.loads((source / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | {"dtype": "float32"}))
    for name in _VOCABULARY_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    stored = {to_huggingface(name): values for name, values in tensors.items()}
    save_file(stored, target / "model.safetensors", metadata={"format": "pt"})
    return target


def _pairs(tensors: Tensors) -> dict[str, tuple[str, ...]]:
    num_layers = sum(name.endswith(".fc1.weight") for name in tensors)
    pairs = {
        f"layers.{layer}.{maker}": tuple(f"layers.{layer}.{reader}" for reader in readers)
        for layer in range(num_layers)
        for maker, readers in _LAYER_PAIRS.items()
    }
    if HEAD in tensors:
        pairs["layer_norm"] = (HEAD.removesuffix(".weight"),)
    return pairs
