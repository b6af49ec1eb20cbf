"""The command `serve` refuses what cannot be served before it takes an address."""

from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.runtime.bundle.classification_head import ClassificationHead
from makers.bundles import export_with_head

pytest.importorskip("starlette")

TRIAL = """
kind = "classification"
name = "trial"
sentence = "this study is {label}."
labels = ["a trial", "a review"]
"""


def test_a_bundle_with_a_classification_head_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export_with_head(tmp_path / "bundle", ClassificationHead("sequence-classification", ("a", "b")))
    socket = tmp_path / "socket"
    assert main(["serve", str(tmp_path / "bundle"), "--unix-socket", str(socket)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "has a sequence-classification head and generates no text" in error
    assert "use the command classify" in error
    assert not socket.exists()


@pytest.mark.parametrize(
    "refused",
    [
        ("bc5cd", "did you mean 'bc5cdr'?"),
        ("hoc", "hoc is trained with one of 1"),
        ("missing.toml", "missing.toml"),
        ("broken.toml", "the key 'labels' is missing"),
    ],
)
def test_a_task_that_cannot_be_offered_is_refused_in_one_line(
    mini_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refused: tuple[str, str],
) -> None:
    task, words = refused
    monkeypatch.chdir(tmp_path)
    Path("broken.toml").write_text(TRIAL.partition("labels = ")[0], encoding="utf-8")
    assert main(["serve", str(mini_bundle), "--port", "0", "--task", task]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error


def test_tasks_of_files_are_offered_beside_the_built_in_ones(
    mini_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trial.toml").write_text(TRIAL, encoding="utf-8")
    offered: list[str] = []

    def run_server(_app: object, service: Any, _bound: object, **_options: object) -> int:
        offered.extend(service.tasks)
        service.close()
        return 0

    monkeypatch.setattr("biogpt_onnx.server.running.run_server", run_server)
    monkeypatch.setattr("biogpt_onnx.server.observation.request_log.set_up_log", lambda _format: None)
    given = ["--task", str(tmp_path / "trial.toml"), "--task", "ddi"]
    assert main(["serve", str(mini_bundle), "--port", "0", *given]) == 0
    assert offered == ["bc5cdr", "kd-dti", "ddi", "pubmedqa", "description", "trial"]
