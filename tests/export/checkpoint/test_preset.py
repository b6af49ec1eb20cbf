"""Random weights that must be the same bits everywhere, for numbers measured on them to compare."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from biogpt_onnx.export.checkpoint.names import EMBEDDING, expected_shapes
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.checkpoint.preset import random_rows
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.runtime.errors import CheckpointError
from makers.checkpoints import tiny_architecture, write_huggingface

# Made once; a change of any of them makes all measurements on presets incomparable.
GOLDEN = {
    ("embed_positions.weight", 0): "8c46739c02d648b4430f3a819fab39a737e06bba7adc297fd00699a174f9be9c",
    ("layers.3.fc1.bias", 0): "59ec7ac3893e9e4d36804fc84169b68b0ed41a63186b5b0573a5841e96170316",
    ("layers.23.final_layer_norm.weight", 0): "0b22aa471a296545be21d66c1e4e84f1f5204031c0bd28149aae03ae0b98f6dc",
    ("layers.3.fc1.bias", 7): "12b41ce9cd8cf898a3f742c51e7b779123a474f1a75e1df19224d6ccec4199db",
}


def digest(tensor: CheckpointTensor) -> str:
    return hashlib.sha256(tensor.read().astype("<f4").tobytes()).hexdigest()


@pytest.mark.parametrize(("name", "seed"), GOLDEN)
def test_the_weights_are_the_same_bits_on_every_machine(name: str, seed: int) -> None:
    assert digest(open_checkpoint("preset:biogpt", seed=seed).tensors[name]) == GOLDEN[name, seed]


@pytest.mark.parametrize(
    ("name", "num_parameters", "num_tensors"), [("biogpt", 346_763_264, 388), ("biogpt-large", 1_571_188_800, 772)]
)
def test_a_preset_has_the_published_size(name: str, num_parameters: int, num_tensors: int) -> None:
    checkpoint = open_checkpoint(f"preset:{name}")
    shapes = [tensor.shape for tensor in checkpoint.tensors.values()]
    assert sum(int(np.prod(shape)) for shape in shapes) == num_parameters
    assert len(shapes) == num_tensors
    assert list(checkpoint.tensors) == list(expected_shapes(checkpoint.architecture))
    assert len(checkpoint.symbols) == checkpoint.architecture.vocab_size
    assert checkpoint.architecture.head_size == 64
    assert checkpoint.source == f"preset:{name}"


def test_weights_spread_as_the_published_initialisation_does() -> None:
    tensors = open_checkpoint("preset:biogpt").tensors
    values = tensors["layers.0.fc1.weight"].read()
    assert values.std() == pytest.approx(0.02, rel=1e-2)
    assert abs(values.mean()) < 1e-4
    assert tensors["layers.0.fc1.bias"].read().std() == pytest.approx(0.02, rel=0.1)
    assert tensors["layers.0.self_attn_layer_norm.weight"].read().mean() == pytest.approx(1, abs=0.01)
    assert tensors["embed_positions.weight"].read_rows(0, 2).all()


def test_tensors_of_one_shape_differ() -> None:
    tensors = open_checkpoint("preset:biogpt").tensors
    projections = [digest(tensors[f"layers.{layer}.self_attn.{part}_proj.bias"]) for layer in (0, 1) for part in "qkv"]
    assert len(set(projections)) == 6


@pytest.mark.parametrize("shape", [(7,), (300, 701), (70_001, 3), (2, 200_000)])
def test_rows_are_the_same_read_alone_or_together(shape: tuple[int, ...]) -> None:
    rows = random_rows("any", shape, seed=3)
    whole = rows(0, shape[0])
    assert whole.shape == shape
    for start, stop in ((0, 1), (1, 2), (shape[0] // 2, shape[0])):
        np.testing.assert_array_equal(rows(start, stop), whole[start:stop])
    assert len(np.unique(whole)) > 0.9 * whole.size


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CheckpointError, match="there are preset:biogpt and preset:biogpt-large"):
        open_checkpoint("preset:biogpt-medium")


def test_the_embedding_repeats_no_row() -> None:
    rows = open_checkpoint("preset:biogpt").tensors[EMBEDDING].read_rows(0, 1024)
    assert len(np.unique(rows[:, :4], axis=0)) == 1024


def test_a_preset_takes_a_vocabulary_of_its_size_and_no_other(tmp_path: Path) -> None:
    size = open_checkpoint("preset:biogpt").architecture.vocab_size
    folder = write_huggingface(tmp_path / "whole", tiny_architecture())
    symbols = json.loads((folder / "vocab.json").read_text())
    with pytest.raises(CheckpointError, match=f"the embedding {size:,} rows: it is not this checkpoint's"):
        open_checkpoint("preset:biogpt", vocabulary=folder)
    # A few rows more than symbols would be a soft prompt, which a preset has not.
    symbols |= {f"word{number}</w>": number for number in range(len(symbols), size - 9)}
    (folder / "vocab.json").write_text(json.dumps(symbols))
    with pytest.raises(CheckpointError, match=f"the vocabulary has {size - 9:,} symbols, not {size:,}"):
        open_checkpoint("preset:biogpt", vocabulary=folder)
    symbols |= {f"word{number}</w>": number for number in range(size - 9, size)}
    (folder / "vocab.json").write_text(json.dumps(symbols))
    assert open_checkpoint("preset:biogpt", vocabulary=folder).symbols == tuple(symbols)
    (folder / "merges.txt").unlink()
    with pytest.raises(CheckpointError, match="preset:biogpt with the vocabulary of"):
        open_checkpoint("preset:biogpt", vocabulary=folder)
