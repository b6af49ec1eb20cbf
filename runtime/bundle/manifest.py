"""The manifest of a bundle, and the names of its files and of its graph's inputs and outputs.

This module alone knows these names; whatever writes or reads a bundle goes through it.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.bundle.architecture import MIN_POSITIONS, Architecture
from biogpt_onnx.runtime.bundle.classification_head import ClassificationHead, parse_head
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.system.names import problem_of_name
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

MANIFEST_FILE = "bundle.json"
UNFINISHED_MANIFEST_FILE = f".{MANIFEST_FILE}"
MODEL_FILE = "model.onnx"
CAUSAL_MODEL_FILE = "causal.onnx"
MIXED_MODEL_FILE = "mixed.onnx"
RAGGED_MODEL_FILE = "ragged.onnx"
STEPS_MODEL_FILE = "steps.onnx"
WEIGHTS_FILE = "model.onnx.data"
CACHE_SCALES_FILE = "cache_scales.data"
"""Scales of keys and values in 8 bits: little-endian float32 [layers, 2, heads, head_size], keys first."""
CONFIG_FILE = "config.json"
VOCAB_FILE = "vocab.json"
MERGES_FILE = "merges.txt"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
REQUIRED_FILES = (MODEL_FILE, CONFIG_FILE, VOCAB_FILE, MERGES_FILE)

INPUT_IDS = "input_ids"
POSITION_IDS = "position_ids"
SEQLENS_K = "seqlens_k"
TOTAL_SEQUENCE_LENGTH = "total_sequence_length"
ATTENTION_BIAS = "attention_bias"
LOGITS_INDICES = "logits_indices"
LOGITS_LIMIT = "logits_limit"
QUERY_SEQLENS = "query_seqlens"
STEP_IDS = "step_ids"
STEP_POSITION_IDS = "step_position_ids"
LOGITS = "logits"
HIDDEN_STATES = "hidden_states"
BEST_IDS = "best_ids"
BEST_LOG_PROBABILITIES = "best_log_probabilities"

CACHE_TYPE = "int8"
"""The type of a quantized cache, for manifests that have one."""

LAYER_PRECISIONS = ("fp32", "int8", "int4")
"""Storage types of a layer's weights, for manifests that name one for each layer."""

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
"""Size of the largest manifest that is read."""

_DIGEST = "manifest_sha256"
_HASH_CHUNK_BYTES = 4 * 1024 * 1024


def past_name(layer: int, part: str) -> str:
    """Returns the name of the graph input that holds a layer's cache; `part` is "key" or "value"."""
    return f"past_key_values.{layer}.{part}"


def present_name(layer: int, part: str) -> str:
    """Returns the name of the graph output that holds a layer's cache; `part` is "key" or "value"."""
    return f"present.{layer}.{part}"


def step_past_name(layer: int, part: str) -> str:
    """Returns the name of the mixed graph's input that holds a layer's cache of the sequences that step."""
    return f"step_past_key_values.{layer}.{part}"


def step_present_name(layer: int, part: str) -> str:
    """Returns the name of the mixed graph's output that holds a layer's cache of the sequences that step."""
    return f"step_present.{layer}.{part}"


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
        return json.dumps(fields | {_DIGEST: _digest(fields)}, indent=2, sort_keys=True) + "\n"

    @property
    def has_hidden_states(self) -> bool:
        """True if the first graph can output hidden states; bundles of earlier versions cannot."""
        return any(spec.name == HIDDEN_STATES for spec in self.outputs)

    @property
    def num_bytes(self) -> int:
        """Size of all files that the manifest lists, in bytes."""
        return sum(record.size for record in self.files.values())


def read_manifest(folder: Path) -> Manifest:
    """Reads and checks a bundle's manifest; the other files are not touched.

    Raises:
        BundleError: there is no bundle, its manifest is malformed, or a later version of this package wrote it.
    """
    return parse_manifest(folder, read_manifest_bytes(folder))


def read_manifest_bytes(folder: Path) -> bytes:
    """Returns the bytes of a bundle's `bundle.json`.

    Raises:
        BundleError: there is no bundle, or its manifest cannot be read.
    """
    path = folder / MANIFEST_FILE
    refuse_undecodable(folder)
    try:
        if not folder.is_dir():
            raise BundleError(f"{folder} is not a folder: name a bundle that `biogpt-onnx export` wrote")
        if not path.is_file():
            raise BundleError(f"{folder} holds no {MANIFEST_FILE}: it is not a bundle; `biogpt-onnx export` makes one")
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise BundleError(f"{path} is larger than any manifest: export the bundle again")
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror})") from error


def parse_manifest(folder: Path, content: bytes) -> Manifest:
    """Checks and returns a manifest.

    Args:
        folder: bundle's folder, for errors.
        content: bytes of its `bundle.json`.

    Raises:
        BundleError: it is malformed, or a later version of this package wrote it.
    """
    path = folder / MANIFEST_FILE
    fields = _fields(path, content)
    try:
        version = fields["format_version"]
        if type(version) is int and version > NEWEST_FORMAT_VERSION:
            raise BundleError(
                f"{path} has format version {version}, this biogpt-onnx reads up to {NEWEST_FORMAT_VERSION}: upgrade it"
            )
        return _manifest(fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path} is malformed ({_reason(error)}): export the bundle again") from error


def check_manifest(folder: Path) -> bool:
    """Compares a bundle's manifest with the digest of its content that it holds.

    This finds damage and edits by mistake. Who edits on purpose can write a new digest, too.

    Returns:
        True if the digest fits; False if the manifest has none, because an earlier version wrote it.

    Raises:
        BundleError: the manifest cannot be read, or is not what was written.
    """
    fields = _fields(folder / MANIFEST_FILE, read_manifest_bytes(folder))
    if _DIGEST not in fields:
        return False
    if fields.pop(_DIGEST) != _digest(fields):
        raise BundleError(
            f"{folder / MANIFEST_FILE} is altered (it does not fit its {_DIGEST}): copy or make the bundle again"
        )
    return True


def unlisted_files(folder: Path, manifest: Manifest) -> list[str]:
    """Returns the names of what lies in a bundle's folder without being in its manifest, which nothing reads."""
    return sorted(path.name for path in folder.iterdir() if path.name not in {*manifest.files, MANIFEST_FILE})


def check_files(folder: Path, manifest: Manifest, *, contents: bool = False) -> None:
    """Compares the bundle's files with its manifest: presence and size, and with `contents` the hash of every file.

    Raises:
        BundleError: files are missing, of another size or altered; the message lists all of them.
    """
    problems = list(_file_problems(folder, manifest.files, contents=contents))
    if problems:
        raise BundleError(f"{folder}: {'; '.join(problems)}: copy or export the bundle again")


def weights_outside(folder: Path) -> str | None:
    """Returns why ONNX Runtime may refuse a bundle whose files are links, with the remedy; None if none leads outside.

    Some versions read no weights that lie outside of the graph's own folder, once links are followed.
    """
    weights = folder / WEIGHTS_FILE
    if weights.resolve().parent == folder.resolve():
        return None
    return (
        f"{weights} is a link to {weights.resolve()}, and the installed ONNX Runtime reads no weights outside of the "
        f"bundle's folder: copy the bundle with its links followed (cp -rL {folder} NEW) and name the copy"
    )


def refuse_undecodable(folder: Path) -> None:
    """Refuses a folder that ONNX and ONNX Runtime cannot open, because they take paths as text.

    Raises:
        BundleError: the path is not UTF-8.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise BundleError(
            f"{str(folder)!a} has bytes that are not UTF-8, and ONNX Runtime opens no such path: rename the folder"
        ) from error


def hash_file(path: Path) -> str:
    """Returns the sha256 of a file, as hexadecimal digits."""
    import hashlib  # noqa: PLC0415 -- slow to import, and loading hashes nothing

    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _digest(fields: Mapping[str, Any]) -> str:
    import hashlib  # noqa: PLC0415 -- as above

    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _fields(path: Path, content: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is malformed ({error}): export the bundle again") from error
    if not isinstance(fields, dict):
        raise BundleError(f"{path} is malformed (it is not a JSON object): export the bundle again")
    return fields


def _file_problems(folder: Path, files: Mapping[str, FileRecord], *, contents: bool) -> Iterator[str]:
    for name, record in files.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif (size := path.stat().st_size) != record.size:
            yield f"{name} has {size:,} bytes where the manifest says {record.size:,}"
        elif contents and hash_file(path) != record.sha256:
            yield f"{name} is altered (its sha256 is not the manifest's)"


def _manifest(fields: dict[str, Any]) -> Manifest:
    files = {_plain_name(name): _file_record(record) for name, record in fields["files"].items()}
    for name in REQUIRED_FILES:
        if name not in files:
            raise KeyError(f"files: {name}")
    recipe = fields["recipe"]
    return Manifest(
        precision=_typed(fields, "precision", str),
        recipe=None if recipe is None else _typed(fields, "recipe", str),
        architecture=_architecture(fields["architecture"]),
        inputs=_tensor_specs(fields["inputs"]),
        outputs=_tensor_specs(fields["outputs"]),
        source=_typed(fields, "source", str),
        tools=dict(fields["tools"].items()),
        files=files,
        evaluation=_object(fields, "evaluation"),
        layer_precisions=_layer_precisions(fields.get("layer_precisions")),
        task=_task(fields.get("task")),
        causal=_second_graph(fields.get("causal"), CAUSAL_MODEL_FILE, files),
        mixed=_second_graph(fields.get("mixed"), MIXED_MODEL_FILE, files),
        ragged=_second_graph(fields.get("ragged"), RAGGED_MODEL_FILE, files),
        steps=_second_graph(fields.get("steps"), STEPS_MODEL_FILE, files),
        end_token_ids=_end_token_ids(fields.get("end_token_ids", [EOS_ID])),
        generation=_object(fields, "generation"),
        notes=_notes(fields.get("notes", [])),
        format_version=_typed(fields, "format_version", int),
        head=parse_head(fields.get("head")),
        activations=_object(fields, "activations"),
        cache=_cache(fields, files),
        lineage=_object(fields, "lineage"),
    )


def _cache(fields: Mapping[str, Any], files: Mapping[str, FileRecord]) -> dict[str, Any] | None:
    cache = _object(fields, "cache")
    if cache is None:
        return None
    if cache["type"] != CACHE_TYPE:
        raise TypeError(f"cache: its type is {cache['type']!r}, this biogpt-onnx knows {CACHE_TYPE}")
    for name in (CACHE_SCALES_FILE, MIXED_MODEL_FILE):
        if name not in files:
            raise KeyError(f"files: {name}")
    return cache


def _layer_precisions(precisions: object) -> dict[str, str] | None:
    if precisions is None:
        return None
    if not isinstance(precisions, dict):
        raise TypeError("layer_precisions is not an object")
    for layer, precision in precisions.items():
        if precision not in LAYER_PRECISIONS:
            known = ", ".join(LAYER_PRECISIONS)
            raise TypeError(f"layer_precisions: {layer} is {precision!r}, this biogpt-onnx knows {known}")
    return precisions


def _object(fields: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{name} is not an object")
    return value


def _end_token_ids(ids: object) -> tuple[int, ...]:
    if not isinstance(ids, list) or not all(type(number) is int and number >= 0 for number in ids):
        raise TypeError("end_token_ids is not a list of token ids")
    return tuple(ids)


def _notes(notes: object) -> tuple[str, ...]:
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise TypeError("notes is not a list of strings")
    return tuple(notes)


def _task(task: object) -> str | None:
    # Any name is valid, because users fine-tune for tasks of their own.
    if task is not None and not isinstance(task, str):
        raise TypeError("task is not a string")
    return task


def _second_graph(spec: dict[str, Any] | None, file: str, files: Mapping[str, FileRecord]) -> GraphSpec | None:
    if spec is None:
        return None
    if file not in files:
        raise KeyError(f"files: {file}")
    return GraphSpec(_tensor_specs(spec["inputs"]), _tensor_specs(spec["outputs"]))


def _plain_name(name: str) -> str:
    # A manifest may come from an untrusted source: no name in it may lead outside its folder.
    if problem := problem_of_name(name):
        raise TypeError(f"{name!r} is not a file name: {problem}")
    return name


def _file_record(record: dict[str, Any]) -> FileRecord:
    return FileRecord(size=_typed(record, "size", int), sha256=_typed(record, "sha256", str))


def _architecture(fields: dict[str, Any]) -> Architecture:
    kinds = {field.name: field.type for field in dataclasses.fields(Architecture)}
    architecture = Architecture(**{name: _typed(fields, name, kind) for name, kind in kinds.items()})
    sizes = (value for name, value in fields.items() if kinds.get(name) is int and name != "soft_prompt_size")
    if min(sizes) < 1 or architecture.soft_prompt_size < 0:
        raise TypeError("architecture: sizes must be positive")
    if architecture.max_positions < MIN_POSITIONS:
        raise TypeError(f"architecture: max_positions is below {MIN_POSITIONS}")
    return architecture


def _tensor_specs(specs: Iterable[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(_typed(spec, "name", str), _typed(spec, "dtype", str), tuple(spec["shape"])) for spec in specs
    )


def _typed(fields: Mapping[str, Any], name: str, kind: Any) -> Any:  # noqa: ANN401 -- JSON
    if type(fields[name]) is not kind:
        raise TypeError(f"{name} is not of type {kind.__name__}")
    return fields[name]


def _reason(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
