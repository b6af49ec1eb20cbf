"""Checkpoint of a BioGPT, independent of the form it came in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from biogpt_onnx.export.checkpoint.generation_settings import GenerationSettings
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.tokenizer_files import NONE, AddedTokens
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.classification_head import ClassificationHead


@dataclass(frozen=True)
class Checkpoint:
    """A complete BioGPT, whose weights are still in their files.

    Attributes:
        architecture: network's shape; its vocabulary includes the soft-prompt rows.
        tensors: tensors by canonical name, exactly those of `names.expected_shapes(architecture, head)`.
        symbols: symbols of the vocabulary in the order of the ids, without the soft-prompt rows.
        merges: content of `merges.txt`, byte for byte.
        source: origin, without folders of this machine: "huggingface:NAME", "fairseq:NAME/FILE", "preset:NAME" or
            "hub:ORGANISATION/NAME@COMMIT".
        head: classification head; None for a language model.
        added: tokens beside the symbols; those that are no symbols have the ids behind the symbols'.
        generation: decoding that its authors chose.
        notes: what a user should know of how it was read, a line each.
        files: files that it was read from; none for random weights with a placeholder vocabulary.
    """

    architecture: Architecture
    tensors: Mapping[str, CheckpointTensor]
    symbols: tuple[str, ...]
    merges: bytes
    source: str
    head: ClassificationHead | None = None
    added: AddedTokens = NONE
    generation: GenerationSettings = field(default_factory=GenerationSettings)
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
