"""A plain reading of a fairseq checkpoint into transformers' BioGPT, independent of the reader that it checks."""

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.files.inert_pickle import Inert, stand_ins
from biogpt_onnx.export.huggingface_files import huggingface_config

_DECODER = "decoder."
_TIED = ("biogpt.embed_tokens.weight", "output_projection.weight")


def find_fairseq_file(path: Path, source: str) -> Path:
    """Returns the file that a checkpoint of this source was read from.

    Args:
        path: file or folder that the user named.
        source: origin that the checkpoint records, "fairseq:FOLDER/FILE".
    """
    return path if path.is_file() else path / source.rpartition("/")[2]


def fairseq_model(transformers: Any, file: Path, checkpoint: Checkpoint) -> Any:  # noqa: ANN401 -- transformers and its model
    """Returns the model of a fairseq file, whose tensors have transformers' names but for the beginning.

    Args:
        transformers: module.
        file: fairseq's `.pt` file.
        checkpoint: checkpoint that this package read, for what the file does not say.
    """
    torch = importlib.import_module("torch")
    with torch.serialization.safe_globals([*stand_ins(file)]):
        content = torch.load(file, map_location="cpu", weights_only=True)
    weights = {
        _huggingface_name(name): tensor.float()
        for name, tensor in content["model"].items()
        if not name.endswith("decoder.version")
    }
    # Where only one of the two is there, they are tied.
    for one, other in (_TIED, _TIED[::-1]):
        if one not in weights:
            weights[one] = weights[other]
    table, head = (weights[name] for name in _TIED)
    vocab_size, hidden_size = head.shape
    architecture = replace(
        checkpoint.architecture,
        num_layers=len([name for name in weights if name.endswith(".fc1.bias")]),
        hidden_size=hidden_size,
        num_heads=int(_setting(content, "decoder_attention_heads", checkpoint.architecture.num_heads)),
        intermediate_size=weights["biogpt.layers.0.fc1.weight"].shape[0],
        vocab_size=vocab_size,
        max_positions=weights["biogpt.embed_positions.weight"].shape[0] - 2,
        tied_head=bool(torch.equal(head, table)),
        scale_embedding=_scales(content, checkpoint),
    )
    model = transformers.BioGptForCausalLM(transformers.BioGptConfig(**huggingface_config(architecture)))
    model.load_state_dict(weights, strict=True)
    return model


def fairseq_symbols(*folders: Path | None) -> dict[str, int] | None:
    """Returns the ids of the symbols of the first `dict.txt` in these folders, in transformers' notation."""
    file = next((folder / "dict.txt" for folder in folders if folder and (folder / "dict.txt").is_file()), None)
    if file is None:
        return None
    symbols = ["<s>", "<pad>", "</s>", "<unk>"]
    for line in file.read_bytes().decode("utf-8").rstrip("\n").split("\n"):
        symbol = line.removesuffix("\r").removesuffix(" #fairseq:overwrite").rsplit(" ", 1)[0]
        if not symbol.removesuffix("@@").startswith("learned"):
            symbols.append(symbol[:-2] if symbol.endswith("@@") else symbol + "</w>")
    return {symbol: number for number, symbol in enumerate(symbols)}


def _huggingface_name(name: str) -> str:
    own = name[name.rindex(_DECODER) + len(_DECODER) :].replace("_orig_mod.", "")
    return own if own.startswith("output_projection.") else f"biogpt.{own}"


def _scales(content: Mapping[str, Any], checkpoint: Checkpoint) -> bool:
    said = _setting(content, "no_scale_embedding", None)
    if said is None:
        return checkpoint.architecture.scale_embedding
    return str(said).lower() not in ("true", "1", "1.0")


def _setting(content: Mapping[str, Any], name: str, otherwise: object) -> Any:  # noqa: ANN401 -- whatever the file says
    """Returns a setting of `cfg.model` or `args`; what this package read where it is in no plain form."""
    holders = [_fields(_fields(content.get("cfg")).get("model")), _fields(content.get("args"))]
    found = next((holder[name] for holder in holders if name in holder), None)
    value = _fields(found).get("_val", found)
    return otherwise if value is None or isinstance(value, Inert) else value


def _fields(value: object) -> Mapping[str, Any]:
    state = value.state if isinstance(value, Inert) else value
    fields = state if isinstance(state, Mapping) else {}
    inner = fields.get("_content")
    return inner if isinstance(inner, Mapping) else fields
