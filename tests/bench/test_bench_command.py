import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx.bench import contender, runner
from biogpt_onnx.bench.measuring import serve as bench_serve
from biogpt_onnx.bench.measuring.interleaving import InterleavedMeasurement
from biogpt_onnx.bench.measuring.protocol import serve
from biogpt_onnx.bench.measuring.serve import BundleModel
from biogpt_onnx.bench.rows import read_rows
from biogpt_onnx.cli import main
from biogpt_onnx.runtime.backends.cuda.opening import CUDA
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import ProviderError
from biogpt_onnx.runtime.options import LoadOptions

LITTLE = ("--min-runs", "1", "--min-seconds", "0", "--threads", "1")


def bench(*arguments: str | Path) -> int:
    return main(["bench", *map(str, arguments)])


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.fixture
def refuse_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was measured")

    monkeypatch.setattr(InterleavedMeasurement, "measure", refuse)


def test_a_bundle_is_measured_reported_and_not_measured_again(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "rows.jsonl"
    arguments = (mini_bundle, "--scenario", "p16-n32", "HoC", "cold-start", *LITTLE, "--output", output)
    assert bench(*arguments) == 0
    first = capsys.readouterr()
    assert first.err == ""
    rows = read_rows(output)
    assert [row["scenario"]["name"] for row in rows] == ["p16-n32", "HoC", "cold-start"]
    greedy = rows[0]
    assert (greedy["status"], greedy["threads"], greedy["contender"]["name"]) == ("measured", 1, "mini")
    assert [len(run) for run in greedy["samples"]["token_seconds"]] == [32]
    assert greedy["versions"]["biogpt-onnx"] == biogpt_onnx.__version__
    assert greedy["floors"]["step_bandwidth_fraction"] > 0
    assert "| mini |" in first.out
    assert "## Biomedical workloads" in first.out
    monkeypatch.setattr(InterleavedMeasurement, "measure", lambda *_: pytest.fail("measured again"))
    assert bench(*arguments, "--report", tmp_path / "report.md") == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "report.md").read_text() == first.out.removesuffix("\n")
    changed = output.read_text().replace('"step_bandwidth_fraction"', '"x"').replace('"floors"', '"y"')
    output.write_text(changed)
    assert bench(*arguments) == 2
    assert "the rows of an earlier run cannot be reported (KeyError: 'floors')" in error_of(capsys)
    assert output.read_text() == changed


def test_the_list_needs_no_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--list") == 0
    assert "PubMedQA" in capsys.readouterr().out


@pytest.mark.usefixtures("refuse_to_measure")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "fast"], "scenario is 'fast': choose a suite"),
        (["--precision", "int8", "int4"], "is a bundle of precision fp32, asked for was int8 or int4"),
        (["--threads", "0"], "threads is 0"),
        (["--device", "cuda"], "device is cuda, but the installed ONNX Runtime has no CUDA provider"),
        (["--min-runs", "0"], "min_runs is 0"),
        (["--output", "none/rows.jsonl"], "has no folder none"),
        (["--report", "none/report.md"], "report none/report.md cannot be written"),
        (["--plots", "none/plots"], "plots "),
    ],
)
def test_bad_input_is_refused_before_the_first_measurement(
    mini_bundle: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert bench(mini_bundle, *arguments) == 2
    assert said in error_of(capsys)


@pytest.mark.usefixtures("refuse_to_measure")
def test_no_bundle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench() == 2
    assert "no bundle is named" in error_of(capsys)
    assert bench(tmp_path) == 2
    assert "is not a bundle" in error_of(capsys)


@pytest.mark.usefixtures("refuse_to_measure")
def test_too_little_memory_is_refused(
    mini_bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "available_memory", lambda: 10_000_000)
    assert bench(mini_bundle) == 2
    assert "mini needs about" in error_of(capsys)


@pytest.mark.usefixtures("refuse_to_measure")
def test_a_broken_file_is_not_continued(mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "rows.jsonl"
    output.write_text('{"kind": "meas')
    assert bench(mini_bundle, "--output", output) == 2
    assert "line 1 is no result row" in error_of(capsys)
    assert output.read_text() == '{"kind": "meas'


@pytest.mark.usefixtures("refuse_to_measure")
def test_a_folder_without_permission_is_refused(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Tests may run as root, who may write everywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert bench(mini_bundle, "--output", tmp_path / "rows.jsonl") == 2
    assert "cannot be written" in error_of(capsys)


def test_ours_forces_exactly_so_many_tokens_and_gives_the_models_logits(
    mini_bundle: Path, mini: biogpt_onnx.BioGPT, tmp_path: Path
) -> None:
    model = BundleModel(mini_bundle, 1, prepack=True)
    for prompts, beams in (([[2, 5, 6]], 1), ([[2, 5, 6], [2, 7, 8]], 1), ([[2, 5, 6]], 5), ([[2, 5], [2, 7]], 5)):
        times = model.generate(prompts, 6, beams)
        assert len(times) == 6
        assert times == sorted(times)
    requests = [
        {"generate": {"prompts": [[2, 5, 6]], "new_tokens": 3, "num_beams": 1}},
        {"logits": {"ids": [2, 5, 6], "file": str(tmp_path / "x.npy")}},
        {"memory": {}},
        {"settle": {}},
        {"dance": {}},
    ]
    answers = io.StringIO()
    serve(model, {"load_seconds": 0.1}, io.StringIO("".join(json.dumps(each) + "\n" for each in requests)), answers)
    first, generated, logits, memory, settled, refused = map(json.loads, answers.getvalue().splitlines())
    assert first["load_seconds"] == 0.1
    assert first["settles"] is True
    assert settled == {}
    assert len(generated["seconds"]) == 3
    assert logits == {"rows": 3}
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), mini.logits([2, 5, 6]), rtol=1e-4, atol=1e-4)
    assert set(memory) == {"resident_bytes", "anonymous_bytes", "peak_resident_bytes"}
    assert "dance" in refused["error"]


def test_a_contender_on_a_gpu_says_so_and_is_started_there(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contender, "choose_backend", lambda *_: CUDA)
    on_gpu = contender.bundle_contender(mini_bundle, device="cuda")
    assert (on_gpu.name, on_gpu.describe()["device"]) == ("mini on cuda", "cuda")
    assert on_gpu.command(1)[-4:] == ["--device", "cuda", "--threads", "1"]
    assert "--device" not in contender.bundle_contender(mini_bundle).command(1)
    asked: list[str] = []

    def open_backend(_folder: Path, _manifest: Manifest, options: LoadOptions) -> None:
        asked.append(options.device)
        raise ProviderError("no driver\nwas found")

    monkeypatch.setattr(bench_serve, "open_backend", open_backend)
    monkeypatch.setattr(sys, "argv", ["serve", *on_gpu.command(1)[3:]])
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    assert bench_serve.main() == 1
    assert json.loads(output.getvalue()) == {"error": "no driver was found"}
    assert asked == ["cuda"]


def test_measuring_needs_what_the_runtime_needs_and_no_more(mini_bundle: Path) -> None:
    refused = ("onnx", "onnx_ir", "torch", "safetensors", "matplotlib", "transformers")
    program = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({refused}))\n"
        "from biogpt_onnx.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = ["bench", str(mini_bundle), "--scenario", "cold-start", *LITTLE]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
