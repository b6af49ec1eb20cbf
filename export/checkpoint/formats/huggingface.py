"""Reader of Hugging Face checkpoints: folders with `config.json`, the vocabulary and the weights."""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from biogpt_onnx.export.checkpoint.assemble import Findings, assemble
from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.files.safetensors_file import read_safetensors
from biogpt_onnx.export.checkpoint.files.source_file import read_json_object
from biogpt_onnx.export.checkpoint.files.torch_file import read_torch_file, torch_tensors
from biogpt_onnx.export.checkpoint.formats.huggingface_config import check_model_type, read_architecture
from biogpt_onnx.export.checkpoint.formats.huggingface_head import read_head
from biogpt_onnx.export.checkpoint.names import from_huggingface
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import Problems, canonical_tensors, printable
from biogpt_onnx.export.checkpoint.vocabulary import find_vocabulary
from biogpt_onnx.runtime.errors import CheckpointError

WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Names of weight files, the preferred first."""


def open_huggingface(folder: Path, *, vocabulary: Path | None = None, source: str | None = None) -> Checkpoint:
    """Opens a folder that transformers could load.

    Args:
        folder: folder with `config.json` and the weights.
        vocabulary: folder of the vocabulary, where it is another.
        source: origin that the checkpoint records; by default "huggingface:NAME".

    Raises:
        CheckpointError: the checkpoint cannot be used; names every problem, in one line.
    """
    problems = Problems()
    config = problems.collect(read_json_object, folder / "config.json")
    if config is not None:
        check_model_type(folder, config)  # alone: further problems of another model's folder would only confuse
    architecture = None if config is None else problems.collect(read_architecture, config)
    words = problems.collect(find_vocabulary, vocabulary or folder)
    stored = problems.collect(_read_weights, folder)
    tensors = None if stored is None else canonical_tensors(stored, from_huggingface, problems)
    findings = Findings(
        path=folder,
        architecture=architecture,
        declared_tied=None if architecture is None else architecture.tied_head,
        vocabulary=words,
        tensors=tensors,
        head=None if config is None or tensors is None else read_head(config, tensors, problems),
    )
    return assemble(findings, problems, source or f"huggingface:{folder.resolve().name}")


def _read_weights(folder: Path) -> dict[str, CheckpointTensor]:
    name = next((name for name in WEIGHT_FILES if (folder / name).exists()), None)
    if name is None:
        raise CheckpointError(f"no weights: expected {', '.join(WEIGHT_FILES[:-1])} or {WEIGHT_FILES[-1]}")
    if name.endswith(".index.json"):
        return _read_shards(folder, name)
    return _reader_of(name)(folder / name)


def _reader_of(name: str) -> Callable[[Path], dict[str, CheckpointTensor]]:
    return read_safetensors if ".safetensors" in name else _read_bin


def _read_bin(path: Path) -> dict[str, CheckpointTensor]:
    return torch_tensors(read_torch_file(path), path.name)


def _read_shards(folder: Path, index_name: str) -> dict[str, CheckpointTensor]:
    """Reads each shard that the index names once; every tensor that the index names must be in a shard."""
    shard_of = _read_index(folder / index_name)
    read_shard = _reader_of(index_name)
    problems = Problems()
    tensors: dict[str, CheckpointTensor] = {}
    for shard in sorted(set(shard_of.values())):
        content = problems.collect(read_shard, folder / shard) or {}
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
    return (
        isinstance(name, str)
        and name.isprintable()
        and name not in ("", ".", "..")
        and PurePosixPath(name).name == name
        and not set(name) & {"\\", ":"}
    )
