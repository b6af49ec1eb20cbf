"""Tiny random BioGPT checkpoints, in every form that users have.

Hugging Face forms with safetensors are written without torch; `.bin` and `.pt` files need it.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.export.checkpoint.names import HEAD, expected_shapes, to_fairseq, to_huggingface
from biogpt_onnx.export.checkpoint.placeholder_vocabulary import placeholder_vocabulary
from biogpt_onnx.export.huggingface_files import huggingface_config as written_config
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.classification_head import ClassificationHead
from biogpt_onnx.runtime.tokenizer.vocabulary import SPECIAL_TOKENS

Tensors = dict[str, npt.NDArray[np.float32]]


def tiny_architecture(**changes: int) -> Architecture:
    """Sizes that no two dimensions share, so that a mixed-up axis shows."""
    sizes: dict[str, Any] = {
        "num_layers": 3,
        "hidden_size": 72,
        "num_heads": 3,
        "intermediate_size": 97,
        "vocab_size": 311,
        "max_positions": 75,
    }
    return Architecture(**(sizes | changes))


SEQUENCE = ClassificationHead("sequence-classification", ("none", "mild", "severe"), pad_token_id=1)
TOKENS = ClassificationHead("token-classification", ("O", "B-Drug", "I-Drug", "B-Sign", "I-Sign"), pad_token_id=1)


def random_tensors(
    architecture: Architecture, seed: int = 0, scale: float = 0.2, head: ClassificationHead | None = None
) -> Tensors:
    """Weights by canonical name, biases and gains random too; a head of its own where it is not tied.

    The scale is far above a trained model's, so that tokens differ in more than rounding.
    """
    generator = np.random.default_rng(seed)
    tensors = {}
    for name, shape in expected_shapes(architecture, head).items():
        around = 1 if name.endswith("layer_norm.weight") else 0
        tensors[name] = (around + generator.standard_normal(shape) * scale).astype(np.float32)
    return tensors


def lively_tensors(architecture: Architecture, seed: int = 0, head: ClassificationHead | None = None) -> Tensors:
    """Weights whose greedy search does not just repeat the last token, as a small tied model's likes to."""
    tensors = random_tensors(architecture, seed, head=head)
    for name, values in tensors.items():
        if ("embed" not in name and name.endswith("proj.weight")) or "fc" in name:
            values *= 2  # noqa: PLW2901 -- in place
    tensors["embed_positions.weight"] *= 4
    return tensors


def tiny_vocabulary(architecture: Architecture) -> tuple[tuple[str, ...], bytes]:
    """Symbols in the order of the ids, without the soft prompt's, and merges.txt; ASCII text has no unknown symbol."""
    return placeholder_vocabulary(architecture.vocab_size - architecture.soft_prompt_size)


def huggingface_config(
    architecture: Architecture, head: ClassificationHead | None = None, **changes: object
) -> dict[str, object]:
    """What transformers would write to config.json, the epsilon that nobody reads included."""
    return written_config(architecture, head) | {"layer_norm_eps": 1e-12} | changes


def write_huggingface(  # noqa: PLR0913 -- one argument for each way in which users' folders differ
    folder: Path,
    architecture: Architecture,
    tensors: Mapping[str, npt.NDArray[np.float32]] | None = None,
    *,
    form: str = "safetensors",
    dtype: str | Callable[[str], str] = "float32",
    num_shards: int = 1,
    with_tied_head: bool = False,
    list_soft_prompt: bool = False,
    config: Mapping[str, object] | None = None,
    head: ClassificationHead | None = None,
) -> Path:
    """Writes config.json, vocab.json, merges.txt and the weights.

    Args:
        folder: made where it is missing.
        architecture: what config.json says.
        tensors: by canonical name; random ones without it.
        form: "safetensors" or "bin" (which needs torch).
        dtype: "float32", "float16" or "bfloat16", or a function of the canonical name.
        num_shards: files that the weights are spread over.
        with_tied_head: whether a tied head is written too.
        list_soft_prompt: whether vocab.json lists learned1, learned2, ...
        config: changes to config.json.
        head: classification head in the place of the language-model head.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = dict(random_tensors(architecture, head=head) if tensors is None else tensors)
    if with_tied_head:
        tensors[HEAD] = tensors["embed_tokens.weight"]
    dtype_of = dtype if callable(dtype) else lambda _: dtype
    stored = {to_huggingface(name): as_stored(values, dtype_of(name)) for name, values in tensors.items()}
    _write_shards(folder, stored, form, num_shards)
    (folder / "config.json").write_text(json.dumps(huggingface_config(architecture, head=head, **(config or {}))))
    symbols, merges = tiny_vocabulary(architecture)
    if list_soft_prompt:
        symbols += tuple(f"learned{number}" for number in range(1, architecture.soft_prompt_size + 1))
    (folder / "vocab.json").write_text(json.dumps({symbol: index for index, symbol in enumerate(symbols)}))
    (folder / "merges.txt").write_bytes(merges)
    return folder


def write_fairseq(  # noqa: PLR0913 -- likewise
    folder: Path,
    architecture: Architecture,
    tensors: Mapping[str, npt.NDArray[np.float32]] | None = None,
    *,
    file_name: str = "checkpoint.pt",
    args: object = None,
    cfg: object = None,
    more: Mapping[str, object] | None = None,
    zipped: bool = True,
    list_soft_prompt: bool = False,
) -> Path:
    """Writes dict.txt, bpecodes and a fairseq checkpoint; needs torch.

    Args:
        folder: made where it is missing.
        architecture: what the tensors' shapes say.
        tensors: by canonical name; random ones without it. The head is always written, as fairseq does.
        file_name: of the weights.
        args: the old form of the configuration, a namespace.
        cfg: the new form of it.
        more: further entries of the pickle, such as the optimizer's state.
        zipped: False for the file form of torch before 1.6.
        list_soft_prompt: whether dict.txt lists learned1, learned2, ...
    """
    import torch  # noqa: PLC0415 -- only for this form

    folder.mkdir(parents=True, exist_ok=True)
    tensors = dict(random_tensors(architecture) if tensors is None else tensors)
    model = {to_fairseq(name): torch.from_numpy(values) for name, values in tensors.items()}
    model.setdefault(to_fairseq(HEAD), model[to_fairseq("embed_tokens.weight")])
    model["decoder.version"] = torch.tensor([3.0])
    content = {"args": args, "cfg": cfg, "model": model} | dict(more or {})
    torch.save(content, folder / file_name, _use_new_zipfile_serialization=zipped)
    write_fairseq_vocabulary(folder, architecture, list_soft_prompt=list_soft_prompt)
    return folder


def write_fairseq_vocabulary(folder: Path, architecture: Architecture, *, list_soft_prompt: bool = False) -> None:
    """Writes dict.txt and bpecodes."""
    symbols, merges = tiny_vocabulary(architecture)
    names = [_fairseq_symbol(symbol) for symbol in symbols[len(SPECIAL_TOKENS) :]]
    if list_soft_prompt:
        names += [f"learned{number}" for number in range(1, architecture.soft_prompt_size + 1)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dict.txt").write_text("".join(f"{name} {len(names) - rank}\n" for rank, name in enumerate(names)))
    (folder / "bpecodes").write_bytes(merges)


def _fairseq_symbol(symbol: str) -> str:
    return symbol.removesuffix("</w>") if symbol.endswith("</w>") else symbol + "@@"


def as_stored(values: npt.NDArray[np.float32], dtype: str) -> npt.NDArray[np.generic]:
    """The values in a checkpoint's stored type: "float32", "float16" or "bfloat16"."""
    import ml_dtypes  # noqa: PLC0415 -- an extra

    return values.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def _write_shards(folder: Path, stored: Mapping[str, npt.NDArray[np.generic]], form: str, num_shards: int) -> None:
    stem, suffix = ("model", "safetensors") if form == "safetensors" else ("pytorch_model", "bin")
    if num_shards == 1:
        _write_weights(folder / f"{stem}.{suffix}", stored)
        return
    names = list(stored)
    weight_map: dict[str, str] = {}
    for shard in range(num_shards):
        file_name = f"{stem}-{shard + 1:05d}-of-{num_shards:05d}.{suffix}"
        part = {name: stored[name] for name in names[shard::num_shards]}
        _write_weights(folder / file_name, part)
        weight_map |= dict.fromkeys(part, file_name)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(index))


def _write_weights(path: Path, stored: Mapping[str, npt.NDArray[np.generic]]) -> None:
    if path.suffix == ".safetensors":
        from safetensors.numpy import save_file  # noqa: PLC0415 -- an extra

        save_file(dict(stored), path, metadata={"format": "pt"})
        return
    import torch  # noqa: PLC0415 -- only for this form

    torch.save({name: _torch_tensor(values) for name, values in stored.items()}, path)


def _torch_tensor(values: npt.NDArray[np.generic]) -> object:
    import torch  # noqa: PLC0415 -- only for this form

    if values.dtype.name == "bfloat16":
        return torch.from_numpy(values.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(values)
