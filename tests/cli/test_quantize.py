from pathlib import Path

import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.evaluation_text import EVALUATION_TEXTS
from biogpt_onnx.runtime.bundle import check_files, read_manifest
from makers.outliers import write_outlier_checkpoint


def quantize(source: Path, target: Path, *options: str | Path) -> int:
    return main(["quantize", str(source), "-o", str(target), *map(str, options)])


def test_a_bundle_is_made_smaller_and_its_proof_put_on_record(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "int8"
    assert quantize(mini_bundle, target, "--recipe", "int8") == 0
    assert "PASS: perplexity increase" in capsys.readouterr().out
    manifest = read_manifest(target)
    check_files(target, manifest, contents=True)
    assert manifest.evaluation is not None
    assert manifest.evaluation["gate"] == {"max_perplexity_increase": 0.005, "passed": True}
    assert manifest.evaluation["num_documents"] > 10
    assert main(["info", str(target), "--check"]) == 0
    assert "documents of built-in text" in capsys.readouterr().out
    assert main(["generate", str(target), "Aspirin", "--max-new-tokens", "3"]) == 0


def test_a_missed_gate_is_said_plainly_and_the_bundle_stays(
    mini_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = write_outlier_checkpoint(mini_checkpoint, tmp_path / "twin", 100)
    export_bundle(open_checkpoint(str(twin)), tmp_path / "fp32")
    text = tmp_path / "text.txt"
    text.write_text("\n".join(EVALUATION_TEXTS[:6]))
    # What does without smoothing cannot cope with outliers.
    assert quantize(tmp_path / "fp32", tmp_path / "small", "--recipe", "int8-dynamic", "--text", text) == 1
    assert "FAIL: perplexity increase" in capsys.readouterr().out
    manifest = read_manifest(tmp_path / "small")
    assert manifest.evaluation is not None
    assert manifest.evaluation["text"] == "given"
    assert manifest.evaluation["gate"]["passed"] is False


def test_the_comparison_can_be_left_out(mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "int8"
    assert quantize(mini_bundle, target, "--recipe", "int8-weights", "--no-evaluation") == 0
    assert read_manifest(target).evaluation is None
    assert main(["info", str(target)]) == 0
    assert "no comparison" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--recipe", "int3"], "int8"),
        (["--recipe", "int8", "--calibration", "missing.txt"], "missing.txt"),
        (["--recipe", "int8", "--text", "missing.txt"], "missing.txt"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], named: str
) -> None:
    assert quantize(mini_bundle, tmp_path / "out", *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert named in captured.err
    assert list(tmp_path.iterdir()) == []
