"""The program that puts tables into pages."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from makers.contenders import Scripts

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
