"""The command `verify`: what it says and how it ends; its comparison is tested in `tests/export`."""

import json
from pathlib import Path

import pytest

from biogpt_onnx.cli import main
from makers.checkpoints import tiny_architecture, write_huggingface

pytest.importorskip("torch")
pytest.importorskip("transformers", reason="verify compares with transformers")


def test_it_says_yes_with_its_exit_code(
    tiny_bundle: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(tiny_bundle), "--against", str(tiny_checkpoint)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "PASS"


def test_it_says_no_with_its_exit_code(tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_huggingface(tmp_path / "other", tiny_architecture(num_layers=2))
    assert main(["verify", str(tiny_bundle), "--against", str(other), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] is False
    assert report["logits"][0]["verdict"] == "FAIL"


def test_another_size_is_one_line(mini_bundle: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(mini_bundle), "--against", str(tiny_checkpoint)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert "another model: its vocab_size is 311" in captured.err


@pytest.mark.usefixtures("no_room")
def test_a_bundle_for_which_there_seems_to_be_no_room_is_compared_if_asked(
    tiny_bundle: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["verify", str(tiny_bundle), "--against", str(tiny_checkpoint)]
    assert main(command) == 2
    assert "there is no room" in capsys.readouterr().err
    assert main([*command, "--no-memory-check"]) == 0
