"""A checkpoint, whatever form it came in."""

from collections.abc import Mapping
from dataclasses import dataclass

from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.runtime.bundle.architecture import Architecture


@dataclass(frozen=True)
class Checkpoint:
    """A complete BioGPT, its weights still in their files.

    Attributes:
        architecture: the model's shape, soft-prompt rows counted in.
        tensors: by canonical name, exactly those of `names.expected_shapes(architecture)`.
        symbols: the vocabulary in the order of the ids, without the soft-prompt rows.
        merges: `merges.txt`, byte for byte.
        source: what it was made from, without folders of this machine: "huggingface:NAME",
            "fairseq:NAME/FILE", "preset:NAME" or "hub:ORGANISATION/NAME@COMMIT".
    """

    architecture: Architecture
    tensors: Mapping[str, CheckpointTensor]
    symbols: tuple[str, ...]
    merges: bytes
    source: str
