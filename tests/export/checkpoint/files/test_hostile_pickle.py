"""Pickles that would run code, and broken ones: refused, and nothing in them is run."""

import os
import pickle
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from biogpt_onnx.export.checkpoint.files import inert_pickle
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.errors import CheckpointError
from makers.checkpoints import tiny_architecture, write_fairseq, write_huggingface

torch = pytest.importorskip("torch")

ARCHITECTURE = tiny_architecture()


class Call:
    """Pickles as a call of a function, which plain unpickling would make."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


def error_of(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("function", [os.mkdir, os.system, eval, exec, __import__, setattr, torch.load, Path.mkdir])
def test_a_call_is_refused_and_not_made(tmp_path: Path, function: Callable[..., object], *, zipped: bool) -> None:
    trace = tmp_path / "trace"
    argument = {os.system: f"mkdir {trace}", eval: f"__import__('os').mkdir({str(trace)!r})"}.get(function, str(trace))
    more = {"extra_state": Call(function, argument)}
    write_fairseq(tmp_path, ARCHITECTURE, args=Namespace(), more=more, zipped=zipped)
    message = error_of(tmp_path)
    assert "has no place among weights" in message or "cannot be opened by torch" in message
    assert not trace.exists()


def test_a_call_among_pickled_weights_is_refused(tmp_path: Path) -> None:
    write_huggingface(tmp_path, ARCHITECTURE, form="bin")
    torch.save({"biogpt.layer_norm.weight": Call(os.mkdir, str(tmp_path / "trace"))}, tmp_path / "pytorch_model.bin")
    assert "names posix.mkdir" in error_of(tmp_path).replace("nt.mkdir", "posix.mkdir")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("protocol", [0, 4])
def test_opcodes_that_torch_does_not_write_are_refused(tmp_path: Path, protocol: int) -> None:
    folder = write_fairseq(tmp_path, ARCHITECTURE)
    payload = pickle.dumps({"model": Call(os.mkdir, str(tmp_path / "trace"))}, protocol=protocol)
    with zipfile.ZipFile(folder / "checkpoint.pt", "w") as archive:
        archive.writestr("checkpoint/data.pkl", payload)
        archive.writestr("checkpoint/version", "3\n")
    assert "checkpoint.pt" in error_of(folder)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [("argparse", "Name\0space"), ("argparse", "Name space"), ("argparse", "\udc80"), ("torch", "a" * 10**6)],
)
def test_a_name_that_no_class_has_is_refused(tmp_path: Path, module: str, name: str) -> None:
    payload = f"\x80\x02c{module}\n".encode("latin-1") + name.encode("utf-8", "surrogatepass") + b"\n."
    folder = write_fairseq(tmp_path, ARCHITECTURE)
    with zipfile.ZipFile(folder / "checkpoint.pt", "w") as archive:
        archive.writestr("checkpoint/data.pkl", payload)
        archive.writestr("checkpoint/version", "3\n")
    message = error_of(folder)
    assert "checkpoint.pt" in message
    assert len(message) < 500


def test_a_call_into_a_harmless_package_is_not_made_either(tmp_path: Path) -> None:
    trace = tmp_path / "trace.npy"
    more = {"extra_state": Call(np.save, str(trace), 1.0)}
    open_checkpoint(write_fairseq(tmp_path, ARCHITECTURE, args=Namespace(decoder_attention_heads=3), more=more))
    assert not trace.exists()


def test_a_number_that_would_become_as_many_bytes_of_memory_does_not(tmp_path: Path) -> None:
    write_fairseq(tmp_path, ARCHITECTURE, args=Namespace(), more={"extra_state": Call(bytearray, 10**12)})
    assert "names builtins.bytearray, which has no place among weights" in error_of(tmp_path)


def test_a_structure_that_unpacks_to_far_more_than_the_file_is_not_read(tmp_path: Path) -> None:
    folder = write_fairseq(tmp_path, ARCHITECTURE)
    with zipfile.ZipFile(folder / "checkpoint.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("checkpoint/data.pkl", b"\x80\x02" + b"N0" * 20_000_000 + b"N.")
        archive.writestr("checkpoint/version", "3\n")
    assert "has a compressed structure" in error_of(folder)


def test_torchs_advice_to_load_it_unsafely_is_not_passed_on(tmp_path: Path) -> None:
    write_fairseq(tmp_path, ARCHITECTURE, more={"extra_state": Call(torch.load, "x")})
    message = error_of(tmp_path)
    assert "weights_only" not in message
    assert "torch.serialization.load" in message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git-lfs pointer"),
        (b"\x80\x02", "truncated or no torch file"),
        (b"PK\x03\x04" + b"\0" * 100, "truncated or no torch file"),
        (b"<html>not found</html>", "truncated or no torch file"),
    ],
)
def test_what_is_no_torch_file_is_named(tmp_path: Path, content: bytes, part: str) -> None:
    folder = write_fairseq(tmp_path, ARCHITECTURE)
    (folder / "checkpoint.pt").write_bytes(content)
    assert part in error_of(folder)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_a_truncated_download_is_recognised(tmp_path: Path, keep: float, *, zipped: bool) -> None:
    path = write_fairseq(tmp_path, ARCHITECTURE, zipped=zipped) / "checkpoint.pt"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    message = error_of(tmp_path)
    assert "truncated" in message or "cannot be opened by torch" in message


def test_a_structure_that_is_larger_than_any_models_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inert_pickle, "_MAX_PICKLE_BYTES", 1000)
    message = error_of(write_fairseq(tmp_path, ARCHITECTURE))
    assert "claims a structure of " in message
    assert "which no model has" in message
