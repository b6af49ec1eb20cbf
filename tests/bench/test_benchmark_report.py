"""The program that puts tables into pages."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from makers.contenders import MACHINE, Scripts

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only")


@pytest.fixture
def page(benchmarks: Scripts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The README's page in a folder of the test's own, the only one that the program knows."""
    program = benchmarks("report.__main__")
    page = dataclasses.replace(benchmarks("report.pages").README, path=tmp_path / "README.md", figures=())
    monkeypatch.setattr(program, "PAGES", (page,))
    monkeypatch.setattr(program, "CHECKOUT", tmp_path)
    return page


def run(benchmarks: Scripts, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["report", *options])
    code: int = benchmarks("report.__main__").main()
    return code


def test_an_outdated_page_is_found_written_and_then_whole(
    benchmarks: Scripts, monkeypatch: pytest.MonkeyPatch, page: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    page.path.write_text("Before.\n<!-- comparison: begin -->\nold\n<!-- comparison: end -->\nBehind.\n", "utf-8")
    assert run(benchmarks, monkeypatch, "--check") == 1
    assert capsys.readouterr().out == "README.md is outdated: python -m benchmarks.report --write\n"
    assert "old" in page.path.read_text("utf-8")
    assert run(benchmarks, monkeypatch, "--write") == 0
    text = page.path.read_text("utf-8")
    assert text.startswith("Before.\n<!-- comparison: begin -->\n")
    assert text.endswith("\n<!-- comparison: end -->\nBehind.\n")
    assert "| biogpt-onnx int8 |" in text
    assert run(benchmarks, monkeypatch, "--check") == 0


def test_a_page_without_marks_is_left_alone_and_said(
    benchmarks: Scripts, monkeypatch: pytest.MonkeyPatch, page: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    page.path.write_text("No marks.\n", "utf-8")
    assert run(benchmarks, monkeypatch, "--write") == 2
    assert capsys.readouterr().err.startswith("error: README.md lacks the lines <!-- comparison: begin --> and")
    assert page.path.read_text("utf-8") == "No marks.\n"


def test_without_an_option_every_table_is_printed(
    benchmarks: Scripts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(benchmarks, monkeypatch) == 0
    printed = capsys.readouterr().out
    for line in ("| greedy step, prepacked |", "| step of 5 beams |", "| bc5cdr |", "perplexity beside float32"):
        assert line in printed


def test_the_parts_of_a_start_up_are_shown_in_their_order(benchmarks: Scripts) -> None:
    parts = ("interpreter", "numpy", "package", "onnxruntime", "manifest", "session", "joined", "first pass")
    memory = {"resident_bytes": 400_000_000, "anonymous_bytes": 300_000_000}
    found = {
        "bundle_bytes": 350_000_000,
        "total_seconds": 0.9,
        "parts": {part: number / 1000 for number, part in enumerate(parts, start=11)},
        "beside": {"tokenizer": 0.05},
        "memory": {"after the first token": memory, "after 128 and 32 tokens": memory},
    }
    run = {
        "machine": {"commit": "0" * 40, "cpu": "a processor", "instruction_sets": []},
        "prompt_tokens": 16,
        "threads": 2,
        "rounds": 11,
        "imports": {"package_beyond_numpy_to_numpy": 0.125},
        "bundles": {"int8": found},
    }
    table = benchmarks("report.tables.runtime").start_up_table(run)
    row = table.splitlines()[-1].split("|")[1:-1]
    cells = [cell.strip() for cell in row]
    assert cells[:2] == ["int8", "900 ms"]
    assert cells[2:10] == [f"{number} ms" for number in range(11, 19)]
    assert cells[10:] == ["50 ms", "400 MB, 300 MB anonymous; bundle 350 MB"]
    assert "0.12 x what `import numpy` takes" in table


def test_passes_over_huge_pages_stand_beside_those_over_small_ones(benchmarks: Scripts) -> None:
    passes = {"read 32": {"seconds": {"huge": 0.040, "small": 0.050}, "ratio": 0.81}}
    run: dict[str, Any] = {"machine": MACHINE, "threads": 2, "rounds": 9, "enabled": "always [madvise] never"}
    run["recipes"] = {"int8": {"passes": passes, "loading": {"huge": {"move_seconds": 0.72}}}}
    text = benchmarks("report.tables.runtime").huge_pages_table(run)
    assert "The system's setting was `always [madvise] never`." in text
    assert "| recipe | read 32 | move |" in text
    assert "| int8 | 50 ms, 40 ms: 0.81 x | 0.7 s |" in text


def test_a_token_in_a_browser_stands_beside_one_in_python_for_each_number_of_threads(benchmarks: Scripts) -> None:
    found = {
        "bundle_bytes": 354e6,
        "seconds_per_token": {"python, 1": 0.02, "browser, 1": 0.05, "python, 2": 0.01, "browser, 2": 0.03},
        "browser_to_python": {"1": 2.5, "2": 3.0},
        "ready_seconds": {"browser, 1": 4.04, "browser, 2": 3.0},
    }
    run: dict[str, Any] = {"machine": MACHINE, "rounds": 5, "tokens": 32, "onnxruntime_web": "1.30.0"}
    text = benchmarks("report.tables.runtime").browser_table(run | {"bundles": {"int8": found}})
    assert "| int8 | 1 | 20.0 ms | 50.0 ms | 2.50 x | 354 MB, 4.0 s |" in text
    assert "| int8 | 2 | 10.0 ms | 30.0 ms | 3.00 x | 354 MB, 3.0 s |" in text


def test_disturbed_work_is_counted_by_job(benchmarks: Scripts) -> None:
    killed = {"trials": 3, "left": {"whole": 1, "absent or as before": 2}, "problems": []}
    full = {"trials": 2, "left": {"absent or as before": 2}, "problems": [{"seed": "0/export/full disk/1"}]}
    run: dict[str, Any] = {"machine": MACHINE, "seed": "0", "trials": 5, "trials_each": 3, "left_out": ["read-only"]}
    text = benchmarks("report.tables.robustness").kills_table(
        run | {"jobs": {"export": {"SIGKILL": killed, "full disk": full}}}
    )
    assert (
        "5 trials, at most 3 of each job in each of these ways: SIGKILL, full disk; not tried here: read-only." in text
    )
    assert "| export | 5 | 1 | 4 | 1 |" in text


def test_strange_inputs_are_counted_by_reader(benchmarks: Scripts) -> None:
    found: dict[str, Any] = {
        "inputs": 100_001,
        "guided_by": "coverage",
        "cpu": "Fast",
        "commit": "abc",
        "outcomes": 17,
        "slowest_seconds": 0.4,
    }
    found |= {"largest_growth_bytes": 12_000_000, "problems": [{}, {}]}
    run: dict[str, Any] = {"machine": MACHINE, "seed": "0", "inputs": 100_001, "most_seconds": 10.0}
    text = benchmarks("report.tables.robustness").fuzzing_table(
        run | {"most_bytes": 500e6, "readers": {"merges": found}}
    )
    assert "which may take 10 s of the processor and 500 MB" in text
    assert "| merges | 100,001 | coverage | 17 | 0.40 s | 12 MB | 2 | Fast | abc |" in text


def test_changes_that_no_test_noticed_are_counted_by_room(benchmarks: Scripts) -> None:
    outcomes = {"failed": 6, "timeout": 1, "survived": 2, "undecided": 1, "unimportable": 3}
    room = {"mutants": 10, "caught": 7, "caught_share": 0.7, **outcomes}
    run: dict[str, Any] = {"machine": MACHINE, "seed": "0", "seconds_each": 60.0, "rooms": {"files": room}}
    text = benchmarks("report.tables.robustness").mutation_table(run)
    assert "tests had 60 s to notice one" in text
    assert "| files | 10 | 7 | 70% | 2 | 1 |" in text
