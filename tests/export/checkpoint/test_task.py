import argparse
from pathlib import Path

import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.checkpoint.task import recognised_task
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.tasks.registry import fine_tuned_names
from makers.checkpoints import random_tensors, tiny_architecture, write_fairseq, write_huggingface


@pytest.mark.parametrize(
    ("source", "task"),
    [
        ("fairseq:RE-BC5CDR-BioGPT/checkpoint_avg.pt", "bc5cdr"),
        ("fairseq:RE-DTI-BioGPT/checkpoint_avg.pt", "kd-dti"),
        ("fairseq:RE-DDI-BioGPT/checkpoint_avg.pt", "ddi"),
        ("fairseq:DC-HoC-BioGPT/checkpoint_last.pt", "hoc"),
        ("fairseq:QA-PubMedQA-BioGPT/checkpoint.pt", "pubmedqa"),
        ("fairseq:QA-PubMedQA-BioGPT-Large/checkpoint.pt", "pubmedqa"),
        ("hub:microsoft/BioGPT-Large-PubMedQA@0123", "pubmedqa"),
        ("huggingface:BioGPT-Large-PubMedQA", "pubmedqa"),
        ("hub:microsoft/biogpt@0123", None),
        ("huggingface:my-RE-BC5CDR-BioGPT-copy", None),
        ("huggingface:bc5cdr", None),
    ],
)
def test_published_checkpoints_are_known_by_their_names(source: str, task: str | None) -> None:
    assert recognised_task(source, 9) == task
    assert task is None or task in fine_tuned_names()


def test_one_row_of_soft_prompt_is_the_form_of_one_task_alone() -> None:
    assert recognised_task("fairseq:mine/checkpoint.pt", 1) == "hoc"
    assert recognised_task("fairseq:mine/checkpoint.pt", 9) is None
    assert recognised_task("fairseq:mine/checkpoint.pt", 0) is None


def test_one_row_without_a_name_tells_no_task_of_a_hugging_face_folder() -> None:
    assert recognised_task("huggingface:mine", 1) is None
    assert recognised_task("huggingface:DC-HoC-BioGPT", 1) == "hoc"


def test_a_folder_of_microsofts_gives_a_bundle_that_knows_its_task(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    architecture = tiny_architecture(soft_prompt_size=9)
    heads = argparse.Namespace(decoder_attention_heads=architecture.num_heads)
    write_fairseq(tmp_path / "RE-DDI-BioGPT", architecture, random_tensors(architecture), args=heads)
    export_bundle(open_checkpoint(tmp_path / "RE-DDI-BioGPT"), tmp_path / "bundle")
    assert read_manifest(tmp_path / "bundle").task == "ddi"


def test_what_the_user_says_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_huggingface(tmp_path / "mine", tiny_architecture(soft_prompt_size=9))
    assert main(["export", str(tmp_path / "mine"), "-o", str(tmp_path / "bundle"), "--task", "pubmedqa"]) == 0
    assert "fine-tuned for pubmedqa" in capsys.readouterr().out
    assert read_manifest(tmp_path / "bundle").task == "pubmedqa"
    assert main(["info", str(tmp_path / "bundle")]) == 0
    assert "pubmedqa" in capsys.readouterr().out


def test_a_task_is_not_for_the_other_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_huggingface(tmp_path / "mine", tiny_architecture())
    command = ["export", str(tmp_path / "mine"), "-o", str(tmp_path / "out"), "--layout", "optimum", "--task", "hoc"]
    assert main(command) == 2
    assert "--task" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
