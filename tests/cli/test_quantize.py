from pathlib import Path

import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.data.texts import calibration_texts, evaluation_texts
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
    text.write_text("\n".join(evaluation_texts()[:6]))
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
        (["--recipe", "int3"], "auto"),
        (["--recipe", "auto", "--calibration", "missing.txt"], "missing.txt"),
        (["--recipe", "int8", "--calibration", "missing.txt"], "missing.txt"),
        (["--recipe", "int8", "--text", "missing.txt"], "missing.txt"),
        (["--recipe", "bf16"], "--no-evaluation"),
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


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "passages.txt"
    path.write_text("\n".join(calibration_texts()[:3]))
    return path


def test_auto_says_what_it_chose_and_info_repeats_it(
    mini_bundle: Path, passages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "auto"
    options: list[str | Path] = ["--recipe", "auto", "--max-perplexity-increase", "50%", "--calibration", passages]
    assert quantize(mini_bundle, target, *options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{target}: auto bundle of huggingface:mini, ")
    assert lines[1] == "chosen: of 16 linear layers 16 in 4 bits; embedding and head in 8 bits"
    assert lines[2].startswith("a step reads 3.")
    assert lines[3].startswith("on the text that was searched with, perplexity ")
    table = [line.split() for line in lines[5:10]]
    assert table[0] == ["layer", "attention.qkv", "attention.out", "feed_forward.fc1", "feed_forward.fc2"]
    assert table[1:] == [[str(layer), *["4", "bits"] * 4] for layer in range(4)]
    assert lines[-1].startswith("PASS: perplexity increase")
    manifest = read_manifest(target)
    assert manifest.layer_precisions is not None
    assert manifest.evaluation is not None
    assert manifest.evaluation["gate"] == {"max_perplexity_increase": 0.5, "passed": True}
    assert main(["info", str(target)]) == 0
    assert "chosen:     of 16 linear layers 16 in 4 bits; embedding and head in 8 bits" in capsys.readouterr().out


def test_auto_says_plainly_that_nothing_can_be_quantized(
    tiny_bundle: Path, passages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options: list[str | Path] = ["--recipe", "auto", "--max-perplexity-increase", "0", "--calibration", passages]
    assert quantize(tiny_bundle, tmp_path / "auto", *options) == 0
    output = capsys.readouterr().out
    assert "nothing can be quantized within 0.000%: the bundle is float32 throughout" in output
    assert "PASS: perplexity increase +0.000%" in output


def test_auto_says_that_float32_remains(
    mini_bundle: Path, passages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # On so little text chance alone is more than what 8 bits cost.
    options: list[str | Path] = [
        "--recipe",
        "auto",
        "--max-perplexity-increase",
        "0.15%",
        "--calibration",
        passages,
        "--no-evaluation",
    ]
    assert quantize(mini_bundle, tmp_path / "auto", *options) == 0
    output = capsys.readouterr().out
    assert "within 0.150% only this can be quantized: the rest stays in float32" in output
    assert " in float32; embedding and head in " in output


def test_auto_uses_half_a_percent_and_a_built_in_text_by_itself(tiny_bundle: Path, tmp_path: Path) -> None:
    assert quantize(tiny_bundle, tmp_path / "auto", "--recipe", "auto") in {0, 1}
    evaluation = read_manifest(tmp_path / "auto").evaluation
    assert evaluation is not None
    assert evaluation["gate"]["max_perplexity_increase"] == 0.005


def test_auto_does_not_prove_on_what_it_searched_with(
    mini_bundle: Path, passages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options: list[str | Path] = ["--recipe", "auto", "--calibration", passages, "--text", passages]
    assert quantize(mini_bundle, tmp_path / "auto", *options) == 2
    assert "error: 3 of 3 documents to evaluate with are searched with too" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
