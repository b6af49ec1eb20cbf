"""Small adapters in the form in which PEFT saves them, written without peft."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from biogpt_onnx.export.checkpoint.names import EMBEDDING, HEAD, expected_shapes
from biogpt_onnx.runtime.bundle.architecture import Architecture

Values = npt.NDArray[np.float32]

PREFIX = "base_model.model."
RANK = 4


def lora_matrices(
    architecture: Architecture, modules: tuple[str, ...], *, rank: int = RANK, seed: int = 1
) -> dict[str, Values]:
    """Tensors of LoRA by name, for modules by canonical name."""
    generator = np.random.default_rng(seed)

    def values(*shape: int) -> Values:
        return (generator.standard_normal(shape) * 0.2).astype(np.float32)

    shapes = expected_shapes(architecture) | {HEAD: (architecture.vocab_size, architecture.hidden_size)}
    tensors: dict[str, Values] = {}
    for module in modules:
        rows, columns = shapes[f"{module}.weight"]
        name = peft_name(module)
        if f"{module}.weight" == EMBEDDING:
            tensors[f"{name}.lora_embedding_A"] = values(rank, rows)
            tensors[f"{name}.lora_embedding_B"] = values(columns, rank)
        else:
            tensors[f"{name}.lora_A.weight"] = values(rank, columns)
            tensors[f"{name}.lora_B.weight"] = values(rows, rank)
    return tensors


def peft_name(name: str) -> str:
    """The name that PEFT gives to a module or tensor with this canonical name."""
    return PREFIX + (name if name.startswith("output_projection") else f"biogpt.{name}")


def write_adapter(folder: Path, tensors: Mapping[str, Values], **settings: Any) -> Path:
    """Writes adapter_config.json and adapter_model.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "base_model_name_or_path": None,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "lora_alpha": 2 * RANK,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": RANK,
        "target_modules": ["q_proj"],
        "task_type": "CAUSAL_LM",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config | settings))
    save_file(dict(tensors), folder / "adapter_model.safetensors", metadata={"format": "pt"})
    return folder
