import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biogpt_onnx.bench.rows import read_rows
from makers.contenders import Scripts, fake_contender

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only")


def logits() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((8, 100)).astype(np.float32)


def test_the_same_logits_are_the_same_model(benchmarks: Scripts) -> None:
    same_model = benchmarks("compare.same_model")
    found, reason = same_model.compare(logits() + 3.0, logits(), "fp32")
    assert reason is None
    assert found["relative_difference"] < 1e-5
    assert found["same_top_1"] == 1.0


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8", "int4"])
def test_another_model_fails_in_every_precision(benchmarks: Scripts, precision: str) -> None:
    same_model = benchmarks("compare.same_model")
    for theirs in (logits() * 32, np.roll(logits(), 1, axis=0), logits()[:, ::-1]):
        _, reason = same_model.compare(theirs, logits(), precision)
        assert "it does not run the same model" in reason
    assert "no numbers" in same_model.compare(logits() * np.nan, logits(), precision)[1]
    assert "shape" in same_model.compare(logits()[:, :50], logits(), precision)[1]


def test_rounding_passes_in_eight_bits_and_not_in_float32(benchmarks: Scripts) -> None:
    same_model = benchmarks("compare.same_model")
    rounded = np.round(logits() * 20) / 20
    assert same_model.compare(rounded, logits(), "int8")[1] is None
    assert same_model.compare(rounded, logits(), "fp32")[1] is not None
    assert same_model.compare(rounded, logits(), "fp32", tolerance=0.1) == same_model.compare(rounded, logits(), "int8")


def test_a_contender_is_checked_with_the_memory_that_it_takes(benchmarks: Scripts, tmp_path: Path) -> None:
    same_model = benchmarks("compare.same_model")
    reference = same_model.ReferenceLogits(fake_contender(), (0,), tmp_path)
    same = reference.check(fake_contender())
    assert (same.status, same.contender.resident_bytes, same.versions) == ("measured", 2000, {"fake": "1.0"})
    scaled = reference.check(fake_contender(behaviour="scaled"))
    assert scaled.status == "failed"
    absent = reference.check(fake_contender(behaviour="absent"))
    assert (absent.status, absent.reason) == ("failed", "its library is missing")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--scenario", "fast"], "scenario is 'fast'"),
        (["--peers", "nobody"], "peers has 'nobody': choose among"),
        (["--recipes", "int3"], "recipes has 'int3': choose among fp32, int8"),
        (["--data", "none"], "none"),
        (["--report", "none/report.md"], "cannot be written"),
        (["--min-runs", "0"], "min_runs is 0"),
    ],
)
def test_bad_input_is_refused_before_anything_is_made(  # noqa: PLR0913, PLR0917 -- fixtures
    benchmarks: Scripts,
    options: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    compare = benchmarks("compare.__main__")
    work = tmp_path / "work"
    arguments = ["compare", "--output", str(tmp_path / "rows.jsonl"), "--work", str(work), *options]
    monkeypatch.setattr(sys, "argv", arguments)
    assert compare.main() == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error
    assert not work.exists()


@pytest.mark.long
def test_ours_and_a_peer_that_is_missing_make_a_whole_report(
    benchmarks: Scripts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mini_checkpoint: Path
) -> None:
    compare, comparison = benchmarks("compare.__main__"), benchmarks("compare.comparison")
    peer = comparison.PEERS[0].name
    monkeypatch.setattr(comparison, "unavailable", lambda _: f"{ROOT}/.venv-peers/x is missing: make bench-peers")
    monkeypatch.setattr(comparison, "_DISK_BYTES", 0)
    output, report = tmp_path / "rows.jsonl", tmp_path / "report.md"
    arguments: list[Any] = ["compare", "--output", output, "--report", report, "--work", tmp_path / "work"]
    arguments += ["--preset", mini_checkpoint, "--peers", peer, "--recipes", "fp32", "int8", "--scenario", "HoC"]
    arguments += ["--min-runs", "1", "--min-seconds", "0"]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    assert compare.main() == 0
    rows = read_rows(output)
    kinds = [(row["kind"], row["contender"]["name"], row["scenario"]["name"], row["status"]) for row in rows]
    assert ("proof", peer, "proof", "unavailable") in kinds
    assert ("measurement", "biogpt-onnx int8", "HoC", "measured") in kinds
    assert ("quality", "biogpt-onnx int8", "plain", "measured") in kinds
    increases = [row["quality"]["perplexity_increase"]["value"] for row in rows if row["kind"] == "quality"]
    assert len(increases) == 2
    assert all(abs(increase) < 0.01 for increase in increases)
    assert f"| {peer} | proof | unavailable |" in report.read_text()
    assert compare.main() == 0
    assert [row["started"] for row in read_rows(output) if row["kind"] == "measurement"] == [
        row["started"] for row in rows if row["kind"] == "measurement"
    ]
