import argparse
import dataclasses
from pathlib import Path
from typing import NoReturn

import pytest

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.runtime.bundle import MANIFEST_FILE, read_manifest
from biogpt_onnx.runtime.errors import BundleError, CheckpointError
from makers.checkpoints import random_tensors, tiny_architecture, write_fairseq, write_huggingface


def test_both_forms_of_the_same_weights_give_the_same_bundle(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    architecture = tiny_architecture(soft_prompt_size=9)
    tensors = random_tensors(architecture)
    write_huggingface(tmp_path / "huggingface", architecture, tensors)
    args = argparse.Namespace(decoder_attention_heads=architecture.num_heads)
    write_fairseq(tmp_path / "fairseq", architecture, tensors, args=args)
    manifests = []
    for form in ("huggingface", "fairseq"):
        export_bundle(open_checkpoint(tmp_path / form), tmp_path / f"{form}-bundle")
        manifests.append(read_manifest(tmp_path / f"{form}-bundle"))
    one, two = (dataclasses.replace(manifest, source="", lineage=None) for manifest in manifests)
    assert one == two
    assert manifests[0].architecture.soft_prompt_size == 9


def test_exporting_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_huggingface(tmp_path / "checkpoint", tiny_architecture()))
    export_bundle(checkpoint, tmp_path / "one")
    export_bundle(checkpoint, tmp_path / "two")
    assert (tmp_path / "one" / MANIFEST_FILE).read_bytes() == (tmp_path / "two" / MANIFEST_FILE).read_bytes()


def test_a_bundle_can_be_exported_again_as_a_checkpoint_folder_can_be_moved(tmp_path: Path) -> None:
    manifest = export_bundle(
        open_checkpoint(write_huggingface(tmp_path / "name", tiny_architecture())), tmp_path / "bundle"
    )
    assert manifest.source == "huggingface:name"
    assert str(tmp_path) not in (tmp_path / "bundle" / MANIFEST_FILE).read_text()


def test_progress_is_reported_up_to_the_end(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    checkpoint = open_checkpoint(write_huggingface(tmp_path / "checkpoint", tiny_architecture()))
    export_bundle(checkpoint, tmp_path / "bundle", progress=lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1] == len(steps)


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_huggingface(tmp_path / "checkpoint", tiny_architecture()))
    broken = _with_a_tensor_that_cannot_be_read(checkpoint)
    with pytest.raises(CheckpointError, match="gone"):
        export_bundle(broken, tmp_path / "out" / "bundle")
    assert not any((tmp_path / "out").rglob("*"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_named_and_nothing_is_written(tmp_path: Path, value: float) -> None:
    architecture = tiny_architecture()
    tensors = random_tensors(architecture)
    for name in ("layers.1.fc2.weight", "layer_norm.bias"):
        tensors[name].flat[5] = value
    checkpoint = open_checkpoint(write_huggingface(tmp_path / "checkpoint", architecture, tensors))
    with pytest.raises(CheckpointError, match=r"NaN or infinity in .*: the training diverged") as caught:
        export_bundle(checkpoint, tmp_path / "bundle")
    for name in ("layers.1.fc2.weight", "layer_norm.bias"):
        assert name in str(caught.value)
    assert not (tmp_path / "bundle").exists()


def test_huge_weights_are_numbers(tmp_path: Path) -> None:
    architecture = tiny_architecture()
    tensors = random_tensors(architecture)
    tensors["layers.1.fc2.weight"][:] = 3e38
    export_bundle(open_checkpoint(write_huggingface(tmp_path / "name", architecture, tensors)), tmp_path / "bundle")


def test_a_head_size_that_the_attention_cannot_compute_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    architecture = tiny_architecture(hidden_size=60, num_heads=3)
    checkpoint = open_checkpoint(write_huggingface(tmp_path / "checkpoint", architecture))
    with pytest.raises(CheckpointError, match="head size is 20"):
        export_bundle(checkpoint, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_an_existing_bundle_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_huggingface(tmp_path / "checkpoint", tiny_architecture()))
    export_bundle(checkpoint, tmp_path / "bundle")
    with pytest.raises(BundleError, match="--overwrite"):
        export_bundle(checkpoint, tmp_path / "bundle")
    export_bundle(checkpoint, tmp_path / "bundle", overwrite=True)


def _with_a_tensor_that_cannot_be_read(checkpoint: Checkpoint) -> Checkpoint:
    def read_rows(_start: int, _stop: int) -> NoReturn:
        raise CheckpointError("the file is gone")

    name = "layers.2.fc1.weight"
    unreadable = dataclasses.replace(checkpoint.tensors[name], rows=read_rows)
    return dataclasses.replace(checkpoint, tensors=dict(checkpoint.tensors) | {name: unreadable})
