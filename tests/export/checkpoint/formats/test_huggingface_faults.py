"""Broken, foreign and hostile Hugging Face folders: one line that says what to do."""

import json
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.errors import CheckpointError
from makers.checkpoints import random_tensors, tiny_architecture, write_huggingface

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 693000000\n"


def error_of(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(folder))
    return message


def change_weights(folder: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_huggingface(tmp_path / "model", tiny_architecture())


def test_everything_wrong_is_told_at_once(folder: Path) -> None:
    def change(tensors: dict[str, np.ndarray]) -> None:
        del tensors["biogpt.layers.1.fc1.bias"]
        tensors["score.weight"] = np.zeros((2, 2), np.float32)
        tensors["biogpt.layers.0.fc2.weight"] = np.zeros((97, 72), np.float32)
        tensors["biogpt.layer_norm.weight"] = np.zeros(72, np.int64)

    change_weights(folder, change)
    (folder / "merges.txt").unlink()
    message = error_of(folder)
    for part in (
        "missing 1 tensor: layers.1.fc1.bias",
        "unexpected 1 tensor: score.weight",
        "layers.0.fc2.weight is [97, 72], not [72, 97]",
        "layer_norm.weight holds I64",
        "no vocabulary",
    ):
        assert part in message


def test_what_is_wrong_in_every_layer_is_told_once(folder: Path) -> None:
    change_json(folder / "config.json", intermediate_size=98)
    message = error_of(folder)
    assert "layers.*.fc1.weight (3 tensors) is [97, 72], not [98, 72]" in message
    assert message.count("fc1.weight") == 1


def test_hundreds_of_missing_tensors_are_counted_not_listed(folder: Path) -> None:
    change_json(folder / "config.json", num_hidden_layers=27)
    message = error_of(folder)
    assert "missing 384 tensors: layers.3." in message
    assert len(message) < 500


def test_layers_beyond_the_config_are_unexpected(folder: Path) -> None:
    change_json(folder / "config.json", num_hidden_layers=2)
    assert "unexpected 16 tensors: layers.2." in error_of(folder)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"num_hidden_layers": "3"}, "num_hidden_layers is '3'"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"hidden_size": True}, "hidden_size is True"),
        ({"vocab_size": None}, "vocab_size is None"),
        ({"num_attention_heads": 7}, "hidden_size 72 is no multiple of num_attention_heads 7"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
        ({"hidden_act": ["gelu"]}, "hidden_act is ['gelu']"),
        ({"scale_embedding": "yes"}, "scale_embedding is 'yes'"),
        ({"vocab_size": 312}, "embed_tokens.weight is [311, 72], not [312, 72]"),
        ({"max_position_embeddings": 77}, "embed_positions.weight is [77, 72], not [79, 72]"),
    ],
)
def test_a_bad_config_value_is_named(folder: Path, changes: dict[str, object], part: str) -> None:
    change_json(folder / "config.json", **changes)
    assert part in error_of(folder)


def test_another_models_folder_is_recognised(folder: Path) -> None:
    change_json(folder / "config.json", model_type="gpt2")
    message = error_of(folder)
    assert "a model of type 'gpt2', not 'biogpt'" in message
    assert "missing" not in message


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("config.json", "{", "config.json is not JSON"),
        ("config.json", "[" * 100_000, "config.json is not JSON"),
        ("config.json", "[]", "config.json is not a JSON object"),
        ("config.json", "", "config.json is empty"),
        ("config.json", LFS_POINTER, "config.json is a git-lfs pointer"),
        ("model.safetensors", LFS_POINTER, "git lfs pull"),
        ("model.safetensors", "", "model.safetensors is empty"),
        ("model.safetensors", "<html>not found</html>", "truncated or no safetensors file"),
        ("vocab.json", LFS_POINTER, "vocab.json is a git-lfs pointer"),
        ("vocab.json", "{}", "<unk> must be id 3"),
        ("merges.txt", "one\n", "merges.txt, line 1"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_named(folder: Path, name: str, content: str, part: str) -> None:
    (folder / name).write_text(content)
    assert part in error_of(folder)


@pytest.mark.parametrize("name", ["config.json", "vocab.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name in error_of(folder)


def test_a_truncated_download_is_recognised(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "model.safetensors is truncated" in error_of(folder)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 2**60]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]},
        {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]},
    ],
)
def test_a_header_that_claims_what_is_not_there_allocates_nothing(folder: Path, entry: dict[str, object]) -> None:
    header = json.dumps({"biogpt.embed_tokens.weight": entry}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    assert "no safetensors file" in error_of(folder)


@pytest.mark.parametrize(
    "shard", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", "C:\\x", "C:x", "nul.bin", 7, "a\0b"]
)
def test_an_index_cannot_reach_out_of_its_folder(folder: Path, shard: object) -> None:
    (folder / "model.safetensors").rename(folder.parent / "secret.safetensors")
    index = {"weight_map": {"biogpt.embed_tokens.weight": shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "no file of its own folder" in error_of(folder)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    write_huggingface(tmp_path, tiny_architecture(), num_shards=3)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    assert "model-00002-of-00003.safetensors" in error_of(tmp_path)


def test_a_tensor_that_only_the_index_knows_is_named(tmp_path: Path) -> None:
    write_huggingface(tmp_path, tiny_architecture(), num_shards=2)
    path = tmp_path / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["biogpt.ghost"] = "model-00001-of-00002.safetensors"
    path.write_text(json.dumps(index))
    assert "biogpt.ghost, which no shard holds" in error_of(tmp_path)


def test_an_index_without_a_map_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": []}')
    assert "has no weight_map" in error_of(folder)


def test_a_tensor_under_two_names_is_refused(folder: Path) -> None:
    change_weights(folder, lambda tensors: tensors.update({"layer_norm.bias": np.ones(72, np.float32)}))
    assert "repeated 1 tensor" in error_of(folder)


def test_control_characters_in_a_tensors_name_do_not_reach_the_terminal(folder: Path) -> None:
    change_weights(folder, lambda tensors: tensors.update({"\x1b[2J\n" + "x" * 500: np.ones(1, np.float32)}))
    message = error_of(folder)
    assert "\x1b" not in message
    assert len(message) < 300


def test_a_head_of_the_wrong_shape_is_named(tmp_path: Path) -> None:
    architecture = tiny_architecture()
    tensors = random_tensors(architecture) | {"output_projection.weight": np.zeros((310, 72), np.float32)}
    write_huggingface(tmp_path, architecture, tensors)
    assert "output_projection.weight is [310, 72], not [311, 72]" in error_of(tmp_path)


def test_a_vocabulary_of_another_size_is_named(tmp_path: Path) -> None:
    architecture = tiny_architecture()
    write_huggingface(tmp_path / "model", replace(architecture, vocab_size=900))
    write_huggingface(tmp_path / "other", architecture)
    with pytest.raises(CheckpointError, match="the vocabulary has 311 symbols, the embedding 900 rows"):
        open_checkpoint(tmp_path / "model", vocabulary=tmp_path / "other")


def test_a_configuration_that_is_far_too_large_is_not_read(folder: Path) -> None:
    os.truncate(folder / "config.json", 64 * 1024 * 1024 + 1)
    assert "config.json has 67,108,865 bytes, which no such file has" in error_of(folder)


def test_a_tensor_that_two_shards_hold_is_named(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path / "model", tiny_architecture(), num_shards=2)
    one, other = sorted(folder.glob("model-*.safetensors"))
    tensors = load_file(other)
    name, values = next(iter(load_file(one).items()))
    save_file(tensors | {name: values}, other)
    assert f"{other.name} repeats {name} of another shard (1 in all)" in error_of(folder)


def test_two_heads_are_a_choice_for_the_user(folder: Path) -> None:
    def change(tensors: dict[str, np.ndarray]) -> None:
        tensors["score.weight"] = np.zeros((3, 72), np.float32)
        tensors["classifier.weight"] = np.zeros((3, 72), np.float32)

    change_weights(folder, change)
    change_json(folder / "config.json", architectures=["BioGptForSequenceClassification"])
    assert "there are two heads, " in error_of(folder)


def test_a_model_without_room_for_a_token_behind_the_first_is_refused(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path, tiny_architecture(max_positions=1))
    assert "the model has 1 position " in error_of(folder)


@pytest.mark.parametrize("left", [None, 2000])
def test_weights_that_change_between_the_check_and_the_reading_are_an_error(tmp_path: Path, left: int | None) -> None:
    """As where a training goes on beside the export."""
    weights = write_huggingface(tmp_path, tiny_architecture()) / "model.safetensors"
    tensors = open_checkpoint(tmp_path).tensors
    content = weights.read_bytes()
    weights.unlink()
    if left is not None:
        weights.write_bytes(content[:left])
    with pytest.raises(CheckpointError, match=r"model\.safetensors changed while it was read"):
        tensors["embed_tokens.weight"].read()
