"""The manifest of a bundle: what `bundle.json` says."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.classification_head import ClassificationHead
from biogpt_onnx.runtime.bundle.names import HIDDEN_STATES
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID

FORMAT_VERSION = 1
"""Version of the format of language models' bundles."""

HEAD_FORMAT_VERSION = 2
"""Version of bundles with a classification head, whose logits earlier versions would take for those of tokens."""

QUANTIZED_CACHE_FORMAT_VERSION = 3
"""Version of bundles whose steps have a cache in 8 bits, which earlier versions cannot bind."""

STEPS_FORMAT_VERSION = 4
"""Version of bundles with a graph of their own for steps, which earlier versions would take with the first graph."""

NEWEST_FORMAT_VERSION = STEPS_FORMAT_VERSION
"""Newest version that is read."""

CACHE_TYPE = "int8"
"""The type of a quantized cache, for manifests that have one."""

LAYER_PRECISIONS = ("fp32", "int8", "int4")
"""Storage types of a layer's weights, for manifests that name one for each layer."""

DIGEST_FIELD = "manifest_sha256"
"""Field of `bundle.json` that holds the digest of all others."""


@dataclass(frozen=True)
class FileRecord:
    """The size in bytes that a file of the bundle must have, and its sha256 as hexadecimal digits."""

    size: int
    sha256: str


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a graph; a dimension is a number, or the name of one that varies."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class GraphSpec:
    """A graph's inputs and outputs."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class Manifest:
    """The manifest of a bundle: the contents of `bundle.json`.

    Attributes:
        precision: storage type of the weights, e.g. "fp32".
        recipe: name of the quantization recipe that made the bundle; None for an exported one.
        architecture: sizes and options of the model.
        inputs: inputs of the graph.
        outputs: outputs of the graph.
        source: origin of the weights, without any path of the machine that exported them.
        tools: versions of the tools that wrote the bundle.
        files: size and hash of every file of the bundle by name, except the manifest itself.
        evaluation: comparison of a quantized bundle's answers with those of the float32 one; None without one.
        layer_precisions: storage type of each linear layer, embedding and head by name, one of `LAYER_PRECISIONS`
            each; None if the recipe determines them all.
        task: name of the task for which the checkpoint was fine-tuned, any string; None if it is not known.
        causal: causal graph of a half-precision bundle: a second graph over the same weights, without attention bias,
            that runs on GPUs; None for a bundle without one.
        mixed: mixed graph: a second graph over the same weights that reads a piece of a prompt and steps other
            sequences in one pass, on the CPU; None for a bundle without one.
        ragged: ragged graph: a further graph over the same weights, for the CPU, in which each row of a batch gets any
            number of tokens in one pass; None for a bundle without one.
        steps: steps graph: a further ragged graph for the CPU, with linear layers of its own and the first graph's
            embedding and head, by which sequences step; None for a bundle whose sequences step by the graphs that
            read.
        end_token_ids: tokens that end a text; none for a model whose texts end only at their longest length.
        generation: settings of `GenerationConfig`, by name, that the checkpoint's authors made its default.
        notes: what the export had to say of the checkpoint, a line each.
        format_version: the version of this format.
        head: classification head in the place of the language-model head; None for a language model.
        activations: how the inputs of products of integers are quantized, with the numbers of calibration; None if it
            is not on record. See `docs/bundle-format.md`.
        cache: how the cache of sequences that step is quantized, with the numbers of calibration; None for a cache in
            the type that the network computes in. See `docs/bundle-format.md`.
        lineage: sizes and hashes of what the bundle was made from; None if they are not on record. See
            `docs/bundle-format.md`.
    """

    precision: str
    recipe: str | None
    architecture: Architecture
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    source: str
    tools: Mapping[str, str]
    files: Mapping[str, FileRecord]
    evaluation: Mapping[str, Any] | None = None
    layer_precisions: Mapping[str, str] | None = None
    task: str | None = None
    causal: GraphSpec | None = None
    mixed: GraphSpec | None = None
    ragged: GraphSpec | None = None
    steps: GraphSpec | None = None
    end_token_ids: tuple[int, ...] = (EOS_ID,)
    generation: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    format_version: int = FORMAT_VERSION
    head: ClassificationHead | None = None
    activations: Mapping[str, Any] | None = None
    cache: Mapping[str, Any] | None = None
    lineage: Mapping[str, Any] | None = None

    def to_json(self) -> str:
        """Returns the manifest as JSON, in the form in which it is stored: with a digest of all other fields."""
        fields = dataclasses.asdict(self)
        return json.dumps(fields | {DIGEST_FIELD: content_digest(fields)}, indent=2, sort_keys=True) + "\n"

    @property
    def has_hidden_states(self) -> bool:
        """True if the first graph can output hidden states; bundles of earlier versions cannot."""
        return any(spec.name == HIDDEN_STATES for spec in self.outputs)

    @property
    def num_bytes(self) -> int:
        """Size of all files that the manifest lists, in bytes."""
        return sum(record.size for record in self.files.values())


def content_digest(fields: Mapping[str, Any]) -> str:
    """Returns the sha256 of a manifest's other fields, as hexadecimal digits."""
    import hashlib  # noqa: PLC0415 -- slow to import, and not every command hashes

    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
