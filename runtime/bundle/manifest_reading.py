"""Reading of a bundle's manifest, whose content is checked, since it may come from anybody."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.bundle.architecture import MIN_POSITIONS, Architecture
from biogpt_onnx.runtime.bundle.classification_head import parse_head
from biogpt_onnx.runtime.bundle.files import refuse_undecodable
from biogpt_onnx.runtime.bundle.manifest import (
    CACHE_TYPE,
    DIGEST_FIELD,
    LAYER_PRECISIONS,
    NEWEST_FORMAT_VERSION,
    FileRecord,
    GraphSpec,
    Manifest,
    TensorSpec,
    content_digest,
)
from biogpt_onnx.runtime.bundle.names import (
    CACHE_SCALES_FILE,
    CAUSAL_MODEL_FILE,
    MANIFEST_FILE,
    MIXED_MODEL_FILE,
    RAGGED_MODEL_FILE,
    REQUIRED_FILES,
    STEPS_MODEL_FILE,
)
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.system.names import problem_of_name
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
"""Size of the largest manifest that is read."""


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


def check_manifest(folder: Path, content: bytes | None = None) -> bool:
    """Compares a bundle's manifest with the digest of its content that it holds.

    This finds damage and edits by mistake. Who edits on purpose can write a new digest, too.

    Args:
        folder: the bundle.
        content: bytes of its `bundle.json`; None to read them.

    Returns:
        True if the digest fits; False if the manifest has none, because an earlier version wrote it.

    Raises:
        BundleError: the manifest cannot be read, or is not what was written.
    """
    fields = _fields(folder / MANIFEST_FILE, read_manifest_bytes(folder) if content is None else content)
    if DIGEST_FIELD not in fields:
        return False
    if fields.pop(DIGEST_FIELD) != content_digest(fields):
        raise BundleError(
            f"{folder / MANIFEST_FILE} is altered (it does not fit its {DIGEST_FIELD}): copy or make the bundle again"
        )
    return True


def _fields(path: Path, content: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is malformed ({error}): export the bundle again") from error
    if not isinstance(fields, dict):
        raise BundleError(f"{path} is malformed (it is not a JSON object): export the bundle again")
    return fields


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
