"""Weights as training programs leave them: under other names, one level down, in other files, or not at all."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.names import HEAD, to_huggingface
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.errors import CheckpointError
from makers.checkpoints import random_tensors, tiny_architecture, write_fairseq, write_huggingface

ARCHITECTURE = tiny_architecture()


def error_of(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert "unexpected" not in message  # one problem, not one for each tensor
    return message


def assert_holds(checkpoint: Checkpoint) -> None:
    assert checkpoint.architecture == ARCHITECTURE
    for name, values in random_tensors(ARCHITECTURE).items():
        np.testing.assert_array_equal(checkpoint.tensors[name].read(), values)


def rename(folder: Path, change: Callable[[str], str]) -> None:
    path = folder / "model.safetensors"
    save_file({change(name): values for name, values in load_file(path).items()}, path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_huggingface(tmp_path / "model", ARCHITECTURE)


def state_dict() -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    return {to_huggingface(name): torch.from_numpy(values) for name, values in random_tensors(ARCHITECTURE).items()}


def save(folder: Path, content: object, name: str = "pytorch_model.bin") -> Path:
    pytest.importorskip("torch").save(content, folder / name)
    (folder / "model.safetensors").unlink(missing_ok=True)
    return folder


@pytest.mark.parametrize(
    "prefix", ["_orig_mod.", "module.", "model.", "base_model.model.", "module._orig_mod.", "_orig_mod.model.module."]
)
def test_names_of_wrappers_are_taken_off_and_said(folder: Path, prefix: str) -> None:
    rename(folder, lambda name: prefix + name)
    checkpoint = open_checkpoint(folder)
    assert_holds(checkpoint)
    (note,) = checkpoint.notes
    assert note.startswith("taken off the names of the tensors: ")
    assert sum(map(len, note.partition(": ")[2].split(", "))) == len(prefix)


def test_wrappers_inside_the_model_are_taken_off(folder: Path) -> None:
    rename(folder, lambda name: name.replace("layers.1.", "layers.1._orig_mod."))
    assert_holds(open_checkpoint(folder))


def test_a_wrapper_that_not_all_tensors_share_is_no_wrapper(folder: Path) -> None:
    rename(folder, lambda name: name if name.endswith("fc1.bias") else "module." + name)
    with pytest.raises(CheckpointError, match=r"missing .*unexpected|unexpected .*missing"):
        open_checkpoint(folder)


def test_fairseq_weights_of_a_compiled_model_are_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    args = argparse.Namespace(decoder_attention_heads=3)
    path = write_fairseq(tmp_path, ARCHITECTURE, args=args) / "checkpoint.pt"
    content = torch.load(path, weights_only=False)
    content["model"] = {"_orig_mod." + name: tensor for name, tensor in content["model"].items()}
    torch.save(content, path)
    assert_holds(open_checkpoint(tmp_path))


@pytest.mark.parametrize("key", ["model_state_dict", "state_dict", "model", "module"])
def test_a_state_dict_one_level_down_is_found_and_said(folder: Path, key: str) -> None:
    more = {"epoch": 3, "optimizer_state_dict": {"state": {}}, "args": argparse.Namespace(lr=1e-5)}
    checkpoint = open_checkpoint(save(folder, more | {key: state_dict()}))
    assert_holds(checkpoint)
    assert checkpoint.notes == (f"the weights are the entry {key} of pytorch_model.bin",)


def test_several_state_dicts_are_a_choice_for_the_user(folder: Path) -> None:
    both = {"model": state_dict(), "state_dict": state_dict()}
    assert "several state dicts, state_dict and model" in error_of(save(folder, both))


def test_a_file_of_another_thing_says_what_is_in_it(folder: Path) -> None:
    assert "holds no weights, but epoch, lr" in error_of(save(folder, {"epoch": 3, "lr": 1.0}))


@pytest.mark.parametrize("name", ["model.pth", "last.ckpt", "weights.pt", "best.safetensors"])
def test_the_only_file_that_can_hold_the_weights_is_read_and_said(folder: Path, name: str) -> None:
    if name.endswith(".safetensors"):
        (folder / "model.safetensors").rename(folder / name)
    else:
        save(folder, state_dict(), name)
    for other in ("optimizer.pt", "training_args.bin", "rng_state_0.pth"):
        (folder / other).write_bytes(b"never opened")
    checkpoint = open_checkpoint(folder)
    assert_holds(checkpoint)
    assert checkpoint.notes == (f"the weights are those of {name}",)


def test_of_several_such_files_one_has_to_be_named(folder: Path) -> None:
    save(folder, state_dict(), "epoch1.pth")
    save(folder, state_dict(), "epoch2.pth")
    assert "2 files that may hold them (epoch1.pth, epoch2.pth): name the file itself" in error_of(folder)
    assert_holds(open_checkpoint(folder / "epoch2.pth"))


def test_weights_of_another_program_are_named(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "tf_model.h5")
    assert "tf_model.h5 is of another program" in error_of(folder)


def test_a_pickled_model_is_answered_with_what_to_save(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    message = error_of(save(folder, torch.nn.Linear(2, 2)))
    assert "is a pickled model, not its weights: nothing in it was run" in message
    assert "state_dict()" in message


def test_weights_that_were_not_gathered_are_one_message(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    message = error_of(save(folder, {name: torch.empty(0) for name in state_dict()}))
    assert "tensors are empty: the weights were not gathered" in message
    assert "stage3_gather_16bit_weights_on_model_save" in message


def test_an_adapter_that_was_not_merged_says_what_to_do(folder: Path) -> None:
    rename(folder, lambda name: name.replace("q_proj.", "q_proj.base_layer."))
    message = error_of(folder)
    assert "self_attn.q_proj.base_layer." in message
    assert "merge_and_unload" in message
    assert "--adapter" in message


@pytest.mark.parametrize("suffix", [".SCB", ".absmax"])
def test_quantized_weights_are_named_by_their_program(folder: Path, suffix: str) -> None:
    path = folder / "model.safetensors"
    save_file(load_file(path) | {f"biogpt.layers.0.fc1.weight{suffix}": np.ones(3, np.float32)}, path)
    assert "that bitsandbytes quantized: export the original" in error_of(folder)


def test_the_head_alone_is_the_table_where_they_are_tied(folder: Path) -> None:
    rename(folder, lambda name: HEAD if name == "biogpt.embed_tokens.weight" else name)
    checkpoint = open_checkpoint(folder)
    assert_holds(checkpoint)
    assert "embed_tokens.weight is not stored" in checkpoint.notes[0]
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"tie_word_embeddings": False}))
    with pytest.raises(CheckpointError, match=r"missing 1 tensor: embed_tokens\.weight"):
        open_checkpoint(folder)


def test_the_best_of_fairseqs_checkpoints_is_taken_and_said(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    args = argparse.Namespace(decoder_attention_heads=3)
    write_fairseq(tmp_path, ARCHITECTURE, args=args, file_name="checkpoint_best.pt")
    assert open_checkpoint(tmp_path).notes == ()
    write_fairseq(tmp_path, ARCHITECTURE, args=args, file_name="checkpoint_last.pt")
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.source.endswith("checkpoint_best.pt")
    assert checkpoint.notes == ("checkpoint_best.pt is read, not checkpoint_last.pt: name the file itself to choose",)
