"""What a user may name, and may name by mistake."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.errors import CheckpointError
from makers.checkpoints import tiny_architecture, write_huggingface


def error_of(source: str | Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    assert "no such folder" in error_of(tmp_path / "nothing" / "here")


def test_an_empty_folder_is_called_empty(tmp_path: Path) -> None:
    assert "the folder is empty" in error_of(tmp_path)


def test_a_folder_of_something_else_is_told_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "neither config.json (Hugging Face) nor checkpoint.pt (fairseq)" in error_of(tmp_path)


def test_a_checkpoint_one_folder_down_is_pointed_at(tmp_path: Path) -> None:
    write_huggingface(tmp_path / "inner", tiny_architecture())
    assert "but in inner: name that folder" in error_of(tmp_path)


def test_an_archive_is_to_be_unpacked_first(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "Pre-trained-BioGPT.tgz", "w:gz"):
        pass
    assert "unpack Pre-trained-BioGPT.tgz first" in error_of(tmp_path)
    assert "unpack it first" in error_of(tmp_path / "Pre-trained-BioGPT.tgz")


def test_a_single_file_is_answered_with_its_folder(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path / "model", tiny_architecture())
    assert "name the folder that holds it" in error_of(folder / "model.safetensors")


def test_a_relative_folder_is_still_read_after_the_working_folder_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_huggingface(tmp_path / "a" / "b", tiny_architecture())
    monkeypatch.chdir(tmp_path)
    checkpoint = open_checkpoint("a/b")
    monkeypatch.chdir(tmp_path / "a")
    assert checkpoint.tensors["layer_norm.bias"].read().shape == (72,)


def test_safetensors_and_presets_take_no_torch(tmp_path: Path) -> None:
    write_huggingface(tmp_path, tiny_architecture(), dtype="bfloat16", with_tied_head=True)
    program = """
import sys
from biogpt_onnx.export.checkpoint.open import open_checkpoint
for tensor in open_checkpoint(sys.argv[1]).tensors.values():
    tensor.read()
open_checkpoint("preset:biogpt").tensors["layer_norm.weight"].read()
assert not {"torch", "transformers", "huggingface_hub"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


def test_a_pickle_without_torch_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_huggingface(tmp_path, tiny_architecture())
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert 'pip install "biogpt-onnx[export]"' in error_of(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_reading_keeps_one_tensor_in_memory(tmp_path: Path) -> None:
    """Of 67 MB of weights, the largest tensor has 9 MB."""
    architecture = tiny_architecture(num_layers=3, hidden_size=300, vocab_size=7500, intermediate_size=7500)
    write_huggingface(tmp_path, architecture, with_tied_head=True)
    program = """
import sys
from biogpt_onnx.export.checkpoint.open import open_checkpoint
def anonymous():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("RssAnon"))
import safetensors
before = anonymous()
checkpoint = open_checkpoint(sys.argv[1])
peak = 0
for tensor in checkpoint.tensors.values():
    values = tensor.read()
    peak = max(peak, anonymous() - before)
    del values
print(peak)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(result.stdout) < 24


def test_what_contradicts_itself_or_is_no_matter_of_the_form_is_refused(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path / "model", tiny_architecture())
    with pytest.raises(CheckpointError, match=r"an adapter is given \(.*\) and refused: say one of the two"):
        open_checkpoint(folder, adapter=tmp_path, no_adapter=True)
    with pytest.raises(CheckpointError, match=r"config\.json says heads and scaling: leave --num-heads"):
        open_checkpoint(folder, num_heads=4)
    for options in ({"num_heads": 4}, {"scale_embedding": False}, {"adapter": tmp_path}):
        with pytest.raises(CheckpointError, match="takes no adapter, number of heads or scaling: leave them out"):
            open_checkpoint("preset:biogpt", **options)
