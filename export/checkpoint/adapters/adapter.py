"""Adapter of PEFT: its settings, and its tensors by what they change."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from biogpt_onnx.export.checkpoint.adapters.settings import FILE, AdapterSettings, read_adapter_settings
from biogpt_onnx.export.checkpoint.formats.weight_files import read_weight_file
from biogpt_onnx.export.checkpoint.names import from_huggingface
from biogpt_onnx.export.checkpoint.tensor import FLOAT_DTYPES, CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import Problems, printable
from biogpt_onnx.runtime.errors import CheckpointError

WEIGHT_FILES = ("adapter_model.safetensors", "adapter_model.bin")

_PREFIX = "base_model.model."
_PARTS = re.compile(
    r"(?P<module>.+?)\.(?:(?P<part>lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector)"
    r"(?:\.default)?(?P<kind>\.weight|\.bias)?|(?P<tokens>token_adapter\.trainable_tokens_delta)(?:\.default)?)"
)
_PLAIN = re.compile(r"(?P<module>.+?)(?:\.base_layer|\.modules_to_save(?:\.default)?)?\.(?P<kind>weight|bias)")


@dataclass(frozen=True)
class Adapter:
    """An adapter, whose own tensors stay in their file until they are merged.

    Attributes:
        folder: folder that it was read from.
        settings: settings of `adapter_config.json`.
        parts: its tensors by canonical module and part, such as ("layers.0.fc1", "lora_A").
        replaced: tensors that it has in place of the base's, by canonical name.
        kept_bases: canonical names of tables in `replaced` that are the base of a matrix.
    """

    folder: Path
    settings: AdapterSettings
    parts: Mapping[tuple[str, str], CheckpointTensor]
    replaced: Mapping[str, CheckpointTensor]
    kept_bases: frozenset[str]


def is_adapter(folder: Path) -> bool:
    """Returns True if a folder holds an adapter of PEFT."""
    return (folder / FILE).is_file()


def read_adapter(folder: Path, problems: Problems) -> Adapter:
    """Reads an adapter's settings, and the names and shapes of its tensors.

    Args:
        folder: folder that PEFT saved.
        problems: gets what is not supported, and notes.

    Raises:
        CheckpointError: there is no adapter, or it cannot be merged.
    """
    if not is_adapter(folder):
        raise CheckpointError(f"{folder}: no {FILE}: it is not an adapter of PEFT")
    settings = read_adapter_settings(folder, problems)
    name = next((name for name in WEIGHT_FILES if (folder / name).is_file()), None)
    if name is None:
        raise CheckpointError(f"{folder}: no {' or '.join(WEIGHT_FILES)}: the adapter has no weights")
    parts: dict[tuple[str, str], CheckpointTensor] = {}
    replaced: dict[str, CheckpointTensor] = {}
    kept, unexpected = set(), []
    for stored_name, tensor in read_weight_file(folder / name, problems).items():
        own = stored_name.removeprefix(_PREFIX)
        found = _part(own)
        canonical = _plain(own)
        if tensor.stored_dtype not in FLOAT_DTYPES:
            problems.add(f"{name}: {printable(stored_name)} holds {printable(tensor.stored_dtype)}, no floats")
        if found:
            parts[found] = tensor
        elif canonical:
            replaced[canonical] = replace(tensor, name=canonical)
            kept |= {canonical} if ".base_layer." in own else set()
        else:
            unexpected.append(stored_name)
    if unexpected:
        problems.add(
            f"{name} has {len(unexpected)} tensors that no BioGPT has or that cannot be merged: "
            f"{', '.join(map(printable, unexpected[:3]))}"
        )
    return Adapter(folder, settings, parts, replaced, frozenset(kept))


def _part(name: str) -> tuple[str, str] | None:
    """Returns the canonical module and the part of it that a tensor of PEFT's own is; None for any other tensor."""
    match = _PARTS.fullmatch(name)
    weight = from_huggingface(f"{match['module']}.weight") if match else None
    if match is None or weight is None:
        return None
    part = "tokens" if match["tokens"] else match["part"] + (".bias" if match["kind"] == ".bias" else "")
    return weight.removesuffix(".weight"), part


def _plain(name: str) -> str | None:
    """Returns the canonical name of a tensor that stands in place of the base's; None for any other tensor."""
    match = _PLAIN.fullmatch(name)
    return from_huggingface(f"{match['module']}.{match['kind']}") if match else None
