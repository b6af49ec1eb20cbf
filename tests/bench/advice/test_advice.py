"""Advice on real bundles of the embedded checkpoint: complete, honest about quality, and nothing is left behind."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from biogpt_onnx.bench.advice.advice import Advice, bundle_facts
from biogpt_onnx.bench.advice.cores import Cores
from biogpt_onnx.bench.advice.measurements import BundleFacts, Measurement, Times
from biogpt_onnx.bench.advice.recommending import recommend
from biogpt_onnx.bench.advice.report import to_dict, to_text
from biogpt_onnx.bench.contender import bundle_contender
from biogpt_onnx.cli import main
from biogpt_onnx.runtime.bundle import read_manifest

USES = ["short_answers", "long_texts", "many_requests", "least_memory"]


@pytest.fixture(scope="module")
def unproven(mini_by: Callable[[str], Path]) -> Path:
    return mini_by("int8")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_bundles_are_measured_and_one_is_named_for_each_use(
    mini_bundle: Path, unproven: Path, temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(mini_bundle), str(unproven)]
    before = {path: path.stat().st_mtime_ns for folder in folders for path in Path(folder).iterdir()}
    assert main(["advise", *folders, "--threads", "1", "--seconds", "0", "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert captured.err == ""
    assert [each["use"] for each in found["recommendations"]] == USES
    names = {mini_bundle.name, unproven.name}
    for each in found["recommendations"]:
        assert each["bundle"] in names
        assert each["threads"] == 1
        assert (each["bytes"] is None) != (each["seconds"] is None)
    original, small = found["measurements"]
    assert (original["is_proven"], small["is_proven"]) == (True, False)
    assert (original["holds_rows_apart"], small["holds_rows_apart"]) == (True, True)
    for each in (original, small):
        assert len(each["rounds"]) in {1, 2, 3}
        assert all(value > 0 for times in each["rounds"] for value in times.values() if value != times["round"])
        assert all(value > 0 for value in each["seconds"].values())
    assert found["cores"]["usable"] >= found["cores"]["physical"] >= 1
    assert list(temporary.iterdir()) == []
    assert {path: path.stat().st_mtime_ns for folder in folders for path in Path(folder).iterdir()} == before


def made_up(*, quality: float | None = 0.0012, holds_rows_apart: bool = True, usable: int = 4) -> Advice:
    bundle = BundleFacts("int8", "int8", 10**8, quality, is_original=False, holds_rows_apart=holds_rows_apart)
    slow = BundleFacts("fp32", "fp32", 10**9, None, is_original=True)
    measurements = (
        Measurement(bundle, 2, {number: Times(0.5, 0.02, 0.05, 0.08) for number in range(3)}, 5 * 10**8),
        Measurement(slow, 2, {0: Times(1.0, 0.04, 0.1, 0.16)}, 2 * 10**9),
    )
    return Advice("A processor", "AVX2", Cores(usable, 2), measurements, tuple(recommend(measurements)))


def test_the_text_says_what_and_why() -> None:
    lines = to_text(made_up()).splitlines()
    assert lines[0] == "A processor: AVX2, 4 hyperthreads of 2 cores for this process."
    assert "| int8 | 2 | 500 ms | 20.0 ms | 50.0 ms | 80.0 ms | 3 | 0.50 GB | perplexity +0.12% | yes |" in lines
    assert "| fp32 | 2 | 1.00 s | 40.0 ms | 100 ms | 160 ms | 1 | 2.00 GB | the original | yes |" in lines
    (short,) = [line for line in lines if line.startswith("- **one short answer at a time**")]
    assert "int8 with 2 threads, 1.14 s (128 tokens read, 32 written)" in short
    assert "Next: fp32 with 2 threads, 2.00 x the time." in short
    assert "Say `--threads 2`; the default is 4." in short
    (least,) = [line for line in lines if line.startswith("- **least memory**")]
    assert "int8 with 2 threads, 0.50 GB (memory of the process)" in least
    assert "4.00 x the memory" in least
    assert "unproven" not in "".join(lines)


def test_a_bundle_without_a_report_is_said_to_be_unproven() -> None:
    text = to_text(made_up(quality=None))
    assert "| unproven |" in text
    assert text.count("It is unproven: compare it with its original by `biogpt-onnx evaluate` first.") == 4


def test_rows_that_are_not_apart_are_said_where_they_matter() -> None:
    text = to_text(made_up(holds_rows_apart=False))
    (line,) = [line for line in text.splitlines() if "answers may differ a little" in line]
    assert line.startswith("- **many requests at once**")
    assert "--threads" not in to_text(made_up(usable=2))


def test_models_of_other_sizes_are_not_compared_silently() -> None:
    assert "models of different sizes" not in to_text(made_up())
    assert "models of different sizes" in to_text(replace(made_up(), are_of_one_model=False))
    assert to_dict(replace(made_up(), are_of_one_model=False))["are_of_one_model"] is False


def test_a_recipe_that_mixes_rows_on_this_processor_is_known(mini_bundle: Path) -> None:
    contender, manifest = bundle_contender(mini_bundle), read_manifest(mini_bundle)
    weights = replace(manifest, precision="int8", recipe="int8-weights", evaluation=None)
    found = [bundle_facts(contender, weights, may_have_avx512=wide).holds_rows_apart for wide in (True, False)]
    assert found == [False, True]


@pytest.mark.parametrize(
    ("evaluation", "increase"),
    [
        (None, None),
        ({"perplexity_increase": {"value": 0.002}}, 0.002),
        ({"perplexity_increase": {"value": "much"}}, None),
        ({"perplexity_increase": 3}, None),
        ({"same_labels": None}, None),
    ],
)
def test_a_report_of_any_form_is_read_or_left(
    mini_bundle: Path, evaluation: dict[str, object] | None, increase: float | None
) -> None:
    manifest = replace(read_manifest(mini_bundle), precision="int8", recipe="int8", evaluation=evaluation)
    facts = bundle_facts(bundle_contender(mini_bundle), manifest, may_have_avx512=True)
    assert facts.perplexity_increase == increase
    assert facts.is_proven == (increase is not None)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--threads", "0"], "give 1 to"),
        (["--threads", str(10**6)], "give 1 to"),
        (["--seconds", "-1"], "give 0 or more"),
        (["--seconds", "nan"], "give 0 or more"),
    ],
)
def test_bad_settings(mini_bundle: Path, more: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advise", str(mini_bundle), *more]) == 2
    assert words in capsys.readouterr().err


def test_two_bundles_of_one_name_are_refused(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / mini_bundle.name
    copy.mkdir()
    for file in mini_bundle.iterdir():
        shutil.copy(file, copy / file.name)
    assert main(["advise", str(mini_bundle), str(copy)]) == 2
    assert "rename one's folder" in capsys.readouterr().err


def test_what_does_not_fit_into_memory_is_refused_before_it_is_loaded(
    mini_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("biogpt_onnx.bench.advice.advice.available_memory", lambda: 10**8)
    assert main(["advise", str(mini_bundle)]) == 2
    assert "name fewer bundles" in capsys.readouterr().err


def test_a_process_that_fails_is_named(
    mini_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = [sys.executable, "-c", "raise SystemExit('no memory for it')"]
    contender = replace(bundle_contender(mini_bundle), command=lambda _: failing)
    monkeypatch.setattr("biogpt_onnx.bench.advice.advice.bundle_contender", lambda *_, **__: contender)
    assert main(["advise", str(mini_bundle), "--threads", "1"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {mini_bundle.name} with 1 thread: it ended with 1")
    assert "no memory for it" in error
