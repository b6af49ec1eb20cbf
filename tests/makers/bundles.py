"""Small bundles with a head, and bundles as earlier versions wrote them."""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.runtime.bundle import (
    HIDDEN_STATES,
    LOGITS_LIMIT,
    MANIFEST_FILE,
    MODEL_FILE,
    ClassificationHead,
    FileRecord,
    Manifest,
    hash_file,
    read_manifest,
)
from biogpt_onnx.runtime.bundle.manifest import DIGEST_FIELD, content_digest
from makers.checkpoints import lively_tensors, tiny_architecture, write_huggingface


def export_with_head(target: Path, head: ClassificationHead) -> None:
    """Writes a bundle with this head, of a tiny checkpoint with random weights that stays beside it."""
    architecture = tiny_architecture(max_positions=120)
    source = target.with_name(f"{target.name}-checkpoint")
    write_huggingface(source, architecture, lively_tensors(architecture, head=head), head=head)
    export_bundle(open_checkpoint(source), target)


def as_written_before_hidden_states(bundle: Path, target: Path) -> Path:
    """Copies a bundle without the output for hidden states and the input that spares the head."""
    shutil.copytree(bundle, target)
    path = target / MODEL_FILE
    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    for values, name in ((graph.output, HIDDEN_STATES), (graph.input, LOGITS_LIMIT), (graph.initializer, LOGITS_LIMIT)):
        values.remove(next(value for value in values if value.name == name))
    (cut,) = (node for node in graph.node if LOGITS_LIMIT in node.input)
    for node in graph.node:
        for number, name in enumerate(node.input):
            if name == cut.output[0]:
                node.input[number] = cut.input[0]
    graph.node.remove(cut)
    path.write_bytes(model.SerializeToString())
    manifest = record_file(target, MODEL_FILE)
    outputs = tuple(spec for spec in manifest.outputs if spec.name != HIDDEN_STATES)
    manifest = dataclasses.replace(manifest, outputs=outputs)
    (target / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    return target


def write_manifest(bundle: Path, fields: Mapping[str, Any]) -> None:
    """Writes the fields of a manifest with a digest that fits them."""
    others = {name: value for name, value in fields.items() if name != DIGEST_FIELD}
    sealed = others | {DIGEST_FIELD: content_digest(others)}
    (bundle / MANIFEST_FILE).write_text(json.dumps(sealed), encoding="utf-8")


def record_file(bundle: Path, name: str) -> Manifest:
    """Writes the size and the hash of a file that was changed into the manifest of its bundle, and returns it."""
    manifest = read_manifest(bundle)
    record = FileRecord((bundle / name).stat().st_size, hash_file(bundle / name))
    manifest = dataclasses.replace(manifest, files=dict(manifest.files) | {name: record})
    (bundle / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    return manifest
