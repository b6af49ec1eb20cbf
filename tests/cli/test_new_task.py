"""A new task is one specification: all commands, the exporter and the evaluation then know it."""

import json
from pathlib import Path

import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.task import recognised_task
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.tasks import ClassificationTask, Evaluation, TaskSpec, registry

LABELS = ("mild", "severe")
SEVERITY = TaskSpec(
    ClassificationTask("severity", "the event is {label}.", labels=LABELS, soft_prompt_size=9),
    "Severity",
    checkpoints=("dc-severity-biogpt",),
    evaluation=Evaluation(
        metrics=("micro F1", "macro F1"),
        gold_reader="biogpt_onnx.scores.gold.hallmarks:read_hallmarks",
        report="biogpt_onnx.scores.reports.hallmarks:report_hallmarks",
    ),
)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._SPECS, "severity", SEVERITY)


@pytest.fixture
def bundle(mini_checkpoint: Path, tmp_path: Path) -> Path:
    assert main(["export", str(mini_checkpoint), "-o", str(tmp_path / "bundle"), "--task", "severity"]) == 0
    return tmp_path / "bundle"


def test_the_exporter_records_it_and_recognises_its_checkpoints(bundle: Path) -> None:
    assert read_manifest(bundle).task == "severity"
    assert recognised_task("fairseq:DC-Severity-BioGPT/checkpoint.pt", 9) == "severity"


def test_its_kinds_command_runs_it(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts.txt").write_text("The patient died.\n")
    capsys.readouterr()
    assert main(["classify", str(bundle), str(tmp_path / "texts.txt")]) == 0
    (record,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert set(record["probabilities"]) == set(LABELS)


def test_a_command_with_several_tasks_lets_one_choose(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.txt").write_text("The patient died.\n")
    assert main(["classify", str(mini_bundle), str(tmp_path / "texts.txt")]) == 2
    assert capsys.readouterr().err.endswith("say --task hoc or --task severity\n")
    assert main(["classify", str(mini_bundle), str(tmp_path / "texts.txt"), "--task", "severity"]) == 0


def test_it_is_scored_with_its_own_labels_and_title(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = tmp_path / "gold.tsv"
    gold.write_text("The patient died.\tsevere\nThe patient sneezed.\tmild\n")
    capsys.readouterr()
    assert main(["evaluate-task", str(bundle), "--gold", str(gold), "--training", str(gold)]) == 0
    report = capsys.readouterr().out
    assert report.startswith("# Severity\n")
    assert "| severe | 1 |" in report
    assert "the training set" in report
    assert main(["evaluate-task", str(bundle), "--gold", str(gold), "--as-published"]) == 2
    assert "as Microsoft's programs do, which know no severity" in capsys.readouterr().err
    gold.write_text("The patient died.\tempty\n")
    assert main(["evaluate-task", str(bundle), "--gold", str(gold)]) == 2
    assert "the label 'empty': known are mild, severe" in capsys.readouterr().err


def test_a_bundle_of_another_task_is_told_how_to_say_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, mini_bundle: Path
) -> None:
    task = ClassificationTask("severity", "the event is {label}.", labels=LABELS, soft_prompt_size=3)
    monkeypatch.setitem(registry._SPECS, "severity", TaskSpec(task, "Severity"))
    (tmp_path / "texts.txt").write_text("The patient died.\n")
    assert main(["classify", str(mini_bundle), str(tmp_path / "texts.txt"), "--task", "severity"]) == 2
    assert "export it with --task severity" in capsys.readouterr().err
