import dataclasses
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx import BundleError, CheckpointError
from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import ClassificationHead
from makers.checkpoints import SEQUENCE, TOKENS, lively_tensors, tiny_architecture, write_huggingface
from makers.models import DeviceFake

pytest.importorskip("torch")
pytest.importorskip("transformers")

from biogpt_onnx.export.head_parity import TransformersClassifier, compare_head_with, open_head_reference

ARCHITECTURE = tiny_architecture()
ONE = ClassificationHead("sequence-classification", ("grade",), "regression", 1)


def made(folder: Path, head: ClassificationHead) -> tuple[Any, TransformersClassifier]:
    tensors = lively_tensors(ARCHITECTURE, head=head)
    checkpoint = write_huggingface(folder / "checkpoint", ARCHITECTURE, tensors, head=head)
    manifest = export_bundle(open_checkpoint(checkpoint), folder / "bundle")
    return CpuBackend(DecoderSession(folder / "bundle", manifest)), open_head_reference(str(checkpoint))


@pytest.mark.parametrize("head", [SEQUENCE, TOKENS, ONE, dataclasses.replace(SEQUENCE, pad_token_id=None)])
def test_logits_and_hidden_states_agree_with_transformers(tmp_path: Path, head: ClassificationHead) -> None:
    backend, reference = made(tmp_path, head)
    report = compare_head_with(backend, head, reference)
    assert report.passed, report.table()
    names = [row.name for row in report.logits]
    padded = [] if head.pad_token_id is None else ["right-padded batch"]
    assert names == ["each text by itself", *padded, "hidden states"]
    assert "equal" not in report.table()


def test_another_heads_weights_fail_the_report(tmp_path: Path) -> None:
    backend, reference = made(tmp_path, SEQUENCE)
    reference._model.score.weight.data[0, 0] += 0.05
    report = compare_head_with(backend, SEQUENCE, reference)
    assert [row.verdict for row in report.logits] == ["FAIL", "FAIL", "PASS"]


def test_other_labels_are_another_model(tmp_path: Path) -> None:
    backend, reference = made(tmp_path, SEQUENCE)
    with pytest.raises(CheckpointError, match="of another model: its head is"):
        compare_head_with(backend, dataclasses.replace(SEQUENCE, labels=("a", "b", "c")), reference)


def test_the_command_compares_classifiers_and_names_a_mismatch(
    tmp_path: Path, mini_bundle: Path, mini_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path, TOKENS)
    checkpoint, bundle = str(tmp_path / "checkpoint"), str(tmp_path / "bundle")
    assert main(["verify", bundle, "--against", checkpoint]) == 0
    assert capsys.readouterr().out.rstrip().endswith("PASS")
    assert main(["verify", bundle, "--against", str(mini_checkpoint)]) == 2
    assert "has no classification head, the bundle has" in capsys.readouterr().err
    assert main(["verify", str(mini_bundle), "--against", checkpoint]) == 2
    assert "the bundle a language-model head" in capsys.readouterr().err


def test_a_device_that_computes_no_hidden_states_is_an_error_and_no_pass(tmp_path: Path) -> None:
    _, reference = made(tmp_path, SEQUENCE)
    with pytest.raises(BundleError, match="the device does not compute hidden states: compare on the CPU"):
        compare_head_with(DeviceFake(lambda _: 2).backend, SEQUENCE, reference)


def test_a_classifiers_weights_under_another_name_are_compared_as_this_package_reads_them(tmp_path: Path) -> None:
    backend, _ = made(tmp_path, SEQUENCE)
    weights = tmp_path / "checkpoint" / "model.safetensors"
    report = compare_head_with(backend, SEQUENCE, open_head_reference(str(weights.rename(weights.with_stem("best")))))
    assert report.passed, report.table()
