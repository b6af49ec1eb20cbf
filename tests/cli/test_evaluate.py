import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from makers.checkpoints import lively_tensors, tiny_architecture, write_huggingface

TEXT = "The patient was treated with aspirin.\n\nNo adverse effect of metformin was seen in rats.\r\n   \n"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small model, and one whose weights are a little off."""
    folder = tmp_path_factory.mktemp("evaluated")
    architecture = tiny_architecture()
    tensors = lively_tensors(architecture)
    generator = np.random.default_rng(0)
    noise = {
        name: generator.standard_normal(values.shape, np.float32) * np.float32(0.1) for name, values in tensors.items()
    }
    damaged = {name: values + noise[name] for name, values in tensors.items()}
    for name, weights in (("baseline", tensors), ("damaged", damaged)):
        checkpoint = write_huggingface(folder / f"{name}-checkpoint", architecture, weights)
        export_bundle(open_checkpoint(checkpoint), folder / name)
    return folder / "damaged", folder / "baseline"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT.encode())
    return path


def evaluate(bundle: Path, baseline: Path, text: Path | str, *options: str) -> int:
    more = ("--threads", "1", "--prompts", "1", *options)
    return main(["evaluate", str(bundle), "--baseline", str(baseline), "--text", str(text), *more])


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_missed_gate_is_said_and_exits_with_1(
    bundles: tuple[Path, Path], text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(*bundles, text, "--max-perplexity-increase", "0.5%") == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1].startswith("FAIL: perplexity increase +")
    assert "allowed 0.500%" in captured.out
    assert captured.err == ""


@pytest.mark.parametrize("gate", ["0", "0.5%", "0.5 %", "0.005"])
def test_a_passed_gate_exits_with_0(
    gate: str, bundles: tuple[Path, Path], text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(bundles[1], bundles[1], text, "--max-perplexity-increase", gate) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("PASS: perplexity increase +0.000%")


def test_without_a_gate_any_result_is_an_answer(
    bundles: tuple[Path, Path], text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(*bundles, text) == 0
    output = capsys.readouterr().out
    assert "2 documents" in output
    assert "PASS" not in output
    assert "FAIL" not in output


def test_json_is_json_and_the_exit_code_the_same(
    bundles: tuple[Path, Path], text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(*bundles, text, "--json", "--max-perplexity-increase", "0.005") == 1
    fields = json.loads(capsys.readouterr().out)
    assert fields["gate"] == {"max_perplexity_increase": 0.005, "passed": False}
    assert len(fields["documents"]) == 2
    assert str(text.parent) not in json.dumps(fields)


def test_text_comes_from_standard_input_too(
    bundles: tuple[Path, Path], text: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluate(*bundles, text) == 0
    expected = capsys.readouterr().out
    # Some editors begin a file with a byte order mark.
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + TEXT.encode())))
    assert evaluate(*bundles, "-") == 0
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no text: give a document a line"),
        (b" \n\n", "holds no text: give a document a line"),
        (b"fine\nbad \xff line\n", "line 2 of "),
        (b"\x00\n", "no text to evaluate on"),
    ],
)
def test_text_that_cannot_be_used_is_one_line(
    content: bytes, said: str, bundles: tuple[Path, Path], text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text.write_bytes(content)
    assert evaluate(*bundles, text) == 2
    assert said in error_of(capsys)


def test_files_that_are_not_there_are_one_line_each(
    bundles: tuple[Path, Path], text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(*bundles, tmp_path / "none.txt") == 2
    assert "none.txt: No such file" in error_of(capsys)
    assert evaluate(*bundles, tmp_path) == 2
    assert "Is a directory" in error_of(capsys)
    assert evaluate(bundles[0], tmp_path / "none", text) == 2
    assert "is not a folder" in error_of(capsys)
    assert evaluate(*bundles, text, "--plot", str(tmp_path / "x.pdf")) == 2
    assert "plot is " in error_of(capsys)


def test_another_model_as_the_baseline_is_one_line(
    bundles: tuple[Path, Path], mini_bundle: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(bundles[0], mini_bundle, text) == 2
    assert "of different models" in error_of(capsys)


@pytest.mark.parametrize("gate", ["x", "-1%", "nan", "inf", "%", "5%%", "1%x", ""])
def test_a_gate_that_is_no_share_is_one_line(
    gate: str, bundles: tuple[Path, Path], text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        evaluate(*bundles, text, f"--max-perplexity-increase={gate}")
    assert exit_.value.code == 2
    assert "give one such as 0.5% or 0.005" in error_of(capsys)


@pytest.mark.parametrize("options", [["--prompts", "-1"], ["--threads", "0"]])
def test_a_bad_number_is_named(
    options: list[str], bundles: tuple[Path, Path], text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(*bundles, text, *options) == 2
    assert f"{options[0].removeprefix('--')} is {options[1]}" in error_of(capsys)


def test_a_picture_is_drawn_where_it_can_be(bundles: tuple[Path, Path], text: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert evaluate(*bundles, text, "--plot", str(tmp_path / "errors.svg")) == 0
    assert "relative error" in (tmp_path / "errors.svg").read_text()


def test_evaluating_needs_what_the_runtime_needs_and_no_more(bundles: tuple[Path, Path], text: Path) -> None:
    refused = ("onnx", "onnx_ir", "torch", "safetensors", "matplotlib")
    program = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({refused}))\n"
        "from biogpt_onnx.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = ["evaluate", str(bundles[0]), "--baseline", str(bundles[1]), "--text", str(text), "--threads", "1"]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
