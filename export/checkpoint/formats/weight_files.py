"""Files with the weights of a Hugging Face folder: by their standard names, or the one file that can be meant."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from biogpt_onnx.export.checkpoint.contents import FILES, Meaning, find
from biogpt_onnx.export.checkpoint.files.safetensors_file import read_safetensors
from biogpt_onnx.export.checkpoint.files.source_file import read_json_object
from biogpt_onnx.export.checkpoint.files.state_dict import find_state_dict
from biogpt_onnx.export.checkpoint.files.torch_file import read_torch_file, torch_tensors
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import Problems, printable
from biogpt_onnx.runtime.errors import CheckpointError
from biogpt_onnx.runtime.system.names import problem_of_name

WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Standard names of weight files, the preferred first."""

_SHARD = re.compile(r"-\d+-of-\d+\.(?:safetensors|bin)$")

WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
"""Endings of the names of files that may hold weights."""


def has_standard_weights(folder: Path) -> bool:
    """Returns True if a folder holds weights under a standard name."""
    return any((folder / name).exists() for name in WEIGHT_FILES)


def find_weights(folder: Path, problems: Problems) -> Path:
    """Returns the file with the weights, or their index: one of a standard name, or else the only one that may be it.

    Args:
        folder: folder of the checkpoint.
        problems: gets notes on the choice.

    Raises:
        CheckpointError: there is none, or several may be meant.
    """
    names = sorted(entry.name for entry in folder.iterdir())
    standard = [name for name in WEIGHT_FILES if name in names]
    if standard:
        problems.note(*(f"{name} is not read: {standard[0]} is, as by transformers" for name in standard[1:]))
        return folder / standard[0]
    others = [name for name in names if name.endswith(WEIGHT_SUFFIXES) and not _is_known(name)]
    if len(others) == 1:
        problems.note(f"the weights are those of {printable(others[0])}")
        return folder / others[0]
    if others:
        raise CheckpointError(
            f"no weights of a standard name, but {len(others)} files that may hold them ("
            f"{', '.join(map(printable, others[:3]))}): name the file itself"
        )
    raise CheckpointError(
        f"no weights: expected {', '.join(WEIGHT_FILES[:-1])} or {WEIGHT_FILES[-1]}{_of_others(names)}"
    )


def read_weights(path: Path, problems: Problems) -> dict[str, CheckpointTensor]:
    """Returns the tensors of a weights file, or of all shards of an index, by stored name.

    Raises:
        CheckpointError: a file cannot be read, or holds no weights.
    """
    if path.name.endswith(".index.json"):
        return _read_shards(path.parent, path.name, problems)
    return read_weight_file(path, problems)


def read_weight_file(path: Path, problems: Problems) -> dict[str, CheckpointTensor]:
    """Returns the tensors of one file by stored name; see `read_weights`."""
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    state_dict, key = find_state_dict(read_torch_file(path), path.name)
    if key is not None:
        problems.note(f"the weights are the entry {key} of {printable(path.name)}")
    return torch_tensors(state_dict, path.name)


def _is_known(name: str) -> bool:
    if _SHARD.search(name):
        return True  # an index would have named it
    entry = find(FILES, name)
    return entry is not None and (entry.meaning is not Meaning.READ or name.startswith(("adapter_", "checkpoint")))


def _of_others(names: list[str]) -> str:
    """Returns a hint where only other programs' weights are there."""
    shard = next((name for name in names if _SHARD.search(name)), None)
    if shard:
        return f"; {printable(shard)} is a shard, whose index is missing"
    other = next((name for name in ("tf_model.h5", "flax_model.msgpack") if name in names), None)
    if other:
        return f"; {other} is of another program: load and save the model with transformers below version 5 and torch"
    deepspeed = next((name for name in names if name.startswith("global_step")), None)
    return f"; {deepspeed} holds shards of DeepSpeed: run zero_to_fp32.py" if deepspeed else ""


def _read_shards(folder: Path, index_name: str, notes: Problems) -> dict[str, CheckpointTensor]:
    """Reads each shard that the index names once; every tensor that the index names must be in a shard."""
    shard_of = _read_index(folder / index_name)
    read_shard: Callable[[Path, Problems], dict[str, CheckpointTensor]] = read_weight_file
    problems = Problems()
    tensors: dict[str, CheckpointTensor] = {}
    for shard in sorted(set(shard_of.values())):
        content = problems.collect(read_shard, folder / shard, notes) or {}
        repeated = sorted(content.keys() & tensors.keys())
        if repeated:
            problems.add(f"{shard} repeats {printable(repeated[0])} of another shard ({len(repeated)} in all)")
        tensors |= content
    if not problems:
        absent = sorted(shard_of.keys() - tensors.keys())
        if absent:
            problems.add(f"{index_name} names {printable(absent[0])}, which no shard holds ({len(absent)} in all)")
    if problems:
        raise problems.error(index_name)
    return tensors


def _read_index(path: Path) -> Mapping[str, str]:
    weight_map = read_json_object(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{path.name} has no weight_map of tensors to files")
    outside = [shard for shard in weight_map.values() if not _is_file_name(shard)]
    if outside:
        raise CheckpointError(f"{path.name} names {printable(repr(outside[0]))}, which is no file of its own folder")
    return weight_map


def _is_file_name(name: object) -> bool:
    return isinstance(name, str) and name.isprintable() and problem_of_name(name) is None
