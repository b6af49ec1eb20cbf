"""Weights of a BioGPT's Hugging Face folder in numpy, for peers that do not know BioGPT and are given them by name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

# Where the first token is in the table of positions.
_POSITION_OFFSET = 2


class Layer:
    """Weights of one layer, as torch lays them out: matrices are [out, in]."""

    def __init__(self, tensors: dict[str, npt.NDArray[np.float32]], number: int) -> None:
        self._tensors = tensors
        self._prefix = f"biogpt.layers.{number}."

    def pair(self, name: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Returns weight and bias of a linear layer or a LayerNorm, by transformers' name."""
        return self._tensors[f"{self._prefix}{name}.weight"], self._tensors[f"{self._prefix}{name}.bias"]

    def query_key_value(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Returns the three projections as one: weight [3 * hidden, hidden], bias [3 * hidden]."""
        weights, biases = zip(*(self.pair(f"self_attn.{name}_proj") for name in "qkv"), strict=True)
        return np.concatenate(weights), np.concatenate(biases)


class Checkpoint:
    """Contents of a folder of safetensors.

    Attributes:
        config: the contents of config.json.
        layers: from first to last.
        embedding: unscaled, [vocabulary, hidden].
        embedding_scale: the factor of an embedding.
        head: [vocabulary, hidden]; the embedding again where the two are tied.
        positions: from the first token on, [positions, hidden].
        final_norm: gain and bias of the last LayerNorm.
        symbols: a name for each row of the embedding; rows that the vocabulary leaves out get one made up.
    """

    def __init__(self, folder: Path) -> None:
        self.config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tensors = _read(folder)
        self.layers = [Layer(tensors, number) for number in range(self.config["num_hidden_layers"])]
        self.embedding = tensors["biogpt.embed_tokens.weight"]
        scaled = self.config.get("scale_embedding", True)
        self.embedding_scale = float(self.config["hidden_size"]) ** 0.5 if scaled else 1.0
        self.head = tensors.get("output_projection.weight", self.embedding)
        self.positions = tensors["biogpt.embed_positions.weight"][_POSITION_OFFSET:]
        self.final_norm = tensors["biogpt.layer_norm.weight"], tensors["biogpt.layer_norm.bias"]
        self.symbols = _symbols(folder, len(self.embedding))


def _read(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    from safetensors.numpy import load_file

    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"{folder} has no safetensors")
    return {name: tensor.astype(np.float32) for file in files for name, tensor in load_file(file).items()}


def _symbols(folder: Path, count: int) -> list[str]:
    path = folder / "vocab.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    names = {number: symbol for symbol, number in known.items()}
    return [names.get(number, f"<row{number}>") for number in range(count)]
