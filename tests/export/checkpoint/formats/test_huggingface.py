"""Hugging Face folders in every form that users have."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.names import EMBEDDING, HEAD
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import CheckpointError
from makers.checkpoints import as_stored, random_tensors, tiny_architecture, tiny_vocabulary, write_huggingface

DTYPES = ["float32", "float16", "bfloat16"]


def assert_holds(
    checkpoint: Checkpoint, architecture: Architecture, seed: int = 0, dtype: Callable[[str], str] = lambda _: "float32"
) -> None:
    """The checkpoint is the one that random_tensors makes, rounded to its stored types."""
    expected = random_tensors(architecture, seed)
    assert checkpoint.architecture == architecture
    assert set(checkpoint.tensors) == set(expected)
    for name, values in expected.items():
        tensor = checkpoint.tensors[name]
        read = tensor.read()
        assert (tensor.name, tensor.shape) == (name, values.shape)
        assert read.dtype == np.float32
        assert read.flags.c_contiguous
        np.testing.assert_array_equal(read, as_stored(values, dtype(name)).astype(np.float32))
    symbols, merges = tiny_vocabulary(architecture)
    assert (checkpoint.symbols, checkpoint.merges) == (symbols, merges)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("num_shards", [1, 3])
def test_every_weight_arrives_from_safetensors(tmp_path: Path, dtype: str, num_shards: int) -> None:
    architecture = tiny_architecture()
    folder = write_huggingface(tmp_path / "mine", architecture, dtype=dtype, num_shards=num_shards)
    checkpoint = open_checkpoint(folder)
    assert_holds(checkpoint, architecture, dtype=lambda _: dtype)
    assert checkpoint.tensors[EMBEDDING].stored_dtype == dtype
    assert checkpoint.source == "huggingface:mine"


@pytest.mark.parametrize(("dtype", "num_shards"), [("float32", 1), ("float16", 1), ("bfloat16", 2)])
def test_every_weight_arrives_from_pickled_files(tmp_path: Path, dtype: str, num_shards: int) -> None:
    pytest.importorskip("torch")
    architecture = tiny_architecture()
    write_huggingface(tmp_path, architecture, form="bin", dtype=dtype, num_shards=num_shards)
    assert_holds(open_checkpoint(tmp_path), architecture, dtype=lambda _: dtype)


def test_weights_stored_in_several_types_arrive(tmp_path: Path) -> None:
    def dtype(name: str) -> str:
        return "float32" if "norm" in name else "bfloat16" if "fc" in name else "float16"

    architecture = tiny_architecture()
    checkpoint = open_checkpoint(write_huggingface(tmp_path, architecture, dtype=dtype))
    assert_holds(checkpoint, architecture, dtype=dtype)


def test_safetensors_win_over_pickles(tmp_path: Path) -> None:
    architecture = tiny_architecture()
    write_huggingface(tmp_path, architecture)
    (tmp_path / "pytorch_model.bin").write_bytes(b"never opened")
    assert_holds(open_checkpoint(tmp_path), architecture)


def test_a_tied_head_that_is_stored_too_is_not_kept_twice(tmp_path: Path) -> None:
    architecture = tiny_architecture()
    assert_holds(open_checkpoint(write_huggingface(tmp_path, architecture, with_tied_head=True)), architecture)


def test_a_head_equal_to_the_embedding_is_tied_whatever_the_config_says(tmp_path: Path) -> None:
    architecture = tiny_architecture()
    write_huggingface(tmp_path, architecture, with_tied_head=True, config={"tie_word_embeddings": False})
    assert_holds(open_checkpoint(tmp_path), architecture)


def test_a_head_of_its_own_is_kept(tmp_path: Path) -> None:
    architecture = replace(tiny_architecture(), tied_head=False)
    checkpoint = open_checkpoint(write_huggingface(tmp_path, architecture))
    assert_holds(checkpoint, architecture)
    assert HEAD in checkpoint.tensors


def test_a_head_that_differs_though_declared_tied_is_refused(tmp_path: Path) -> None:
    architecture = replace(tiny_architecture(), tied_head=False)
    write_huggingface(tmp_path, architecture, config={"tie_word_embeddings": True})
    with pytest.raises(CheckpointError, match=r"output_projection\.weight differs from embed_tokens\.weight"):
        open_checkpoint(tmp_path)


def test_a_missing_head_is_named_where_it_is_not_tied(tmp_path: Path) -> None:
    write_huggingface(tmp_path, tiny_architecture(), config={"tie_word_embeddings": False})
    with pytest.raises(CheckpointError, match=r"missing 1 tensor: output_projection\.weight"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("list_soft_prompt", [False, True])
def test_rows_beyond_the_vocabulary_are_a_soft_prompt(tmp_path: Path, *, list_soft_prompt: bool) -> None:
    architecture = Architecture(**(vars(tiny_architecture()) | {"vocab_size": 320, "soft_prompt_size": 9}))
    checkpoint = open_checkpoint(write_huggingface(tmp_path, architecture, list_soft_prompt=list_soft_prompt))
    assert_holds(checkpoint, architecture)
    assert len(checkpoint.symbols) == 311


def test_unscaled_embeddings_are_honoured(tmp_path: Path) -> None:
    architecture = replace(tiny_architecture(), scale_embedding=False)
    assert_holds(open_checkpoint(write_huggingface(tmp_path, architecture)), architecture)


def test_keys_absent_from_an_older_config_have_their_defaults(tmp_path: Path) -> None:
    architecture = tiny_architecture()
    path = write_huggingface(tmp_path, architecture) / "config.json"
    config = json.loads(path.read_text())
    for key in ("tie_word_embeddings", "scale_embedding", "hidden_act"):
        del config[key]
    path.write_text(json.dumps(config))
    assert_holds(open_checkpoint(tmp_path), architecture)


def test_the_vocabulary_may_lie_elsewhere(tmp_path: Path) -> None:
    architecture = tiny_architecture()
    write_huggingface(tmp_path / "model", architecture)
    write_huggingface(tmp_path / "other", architecture)
    (tmp_path / "model" / "vocab.json").unlink()
    assert_holds(open_checkpoint(tmp_path / "model", vocabulary=tmp_path / "other"), architecture)


def test_a_read_brings_a_fresh_array(tmp_path: Path) -> None:
    tensor = open_checkpoint(write_huggingface(tmp_path, tiny_architecture())).tensors[EMBEDDING]
    first = tensor.read()
    first[:] = 0
    assert tensor.read().any()


@pytest.mark.parametrize("safe", [True, False])
def test_what_transformers_saves_is_read(tmp_path: Path, *, safe: bool) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    architecture = tiny_architecture()
    config = transformers.BioGptConfig(
        num_hidden_layers=architecture.num_layers,
        hidden_size=architecture.hidden_size,
        num_attention_heads=architecture.num_heads,
        intermediate_size=architecture.intermediate_size,
        vocab_size=architecture.vocab_size,
        max_position_embeddings=architecture.max_positions,
    )
    torch.manual_seed(0)
    model = transformers.BioGptForCausalLM(config)
    write_huggingface(tmp_path, architecture)
    (tmp_path / "model.safetensors").unlink()
    config.save_pretrained(tmp_path)
    if safe:
        model.save_pretrained(tmp_path)
    else:  # transformers 5 writes no .bin, earlier ones wrote this
        torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.architecture == architecture
    state = model.state_dict()
    for name, tensor in checkpoint.tensors.items():
        np.testing.assert_array_equal(tensor.read(), state["biogpt." + name].numpy())
