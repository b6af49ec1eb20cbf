"""A disk that is really full: one clear line, nothing half-written, and the same again goes on when there is space."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx import BioGPT, corpus
from makers.corpora import answer_run, documents, write_json_lines
from makers.small_disk import PAGE, on_small_disk

Merged = Callable[[Path], bytes]

SIZE = 400 * PAGE
FULL = re.compile(r"error: .*No space left on device|error: .*database or disk is full")


def check_refused(found: dict[str, Any]) -> None:
    """The command ended with one line that says what is wrong and what to do."""
    assert found["code"] == 2, found
    (line,) = [line for line in found["err"].splitlines() if not line.startswith("note: ")]
    assert FULL.match(line), line
    assert ": see to it" in line or "nothing is left of it" in line


def unfinished(files: dict[str, int]) -> list[str]:
    return [name for name in files if "unfinished" in name or "/claims/" in name or "sqlite" in name]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


def test_prepare_leaves_nothing_and_then_makes_the_same_run(tmp_path: Path, disk: Path) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", documents(2000))
    words = ["corpus", "prepare", str(source), "-o", str(disk / "run"), "--task", "bc5cdr", "--unit-documents", "100"]
    steps: list[dict[str, Any]] = []
    # Full while ids are collected, while rows are, and while units are written.
    for leave in (0, 60, 110):
        steps += [{"leave": leave * PAGE}, {"run": words}, {"free": True}]
    *refused, made = on_small_disk(
        disk, SIZE, [*steps, {"run": words}, {"copy": [str(disk / "run"), str(tmp_path / "made")]}]
    )
    for found in refused:
        check_refused(found)
        assert found["files"] == {}
    assert made["code"] == 0
    corpus.prepare([source], tmp_path / "expected", "bc5cdr", unit_documents=100)
    contents = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "made", tmp_path / "expected")
    ]
    assert contents[0] == contents[1]


def test_work_goes_on_where_it_was(  # noqa: PLR0913, PLR0917 -- fixtures
    run: Path, mini_bundle: Path, tmp_path: Path, disk: Path, expected: bytes, merged: Merged
) -> None:
    there = disk / "run"
    words = ["corpus", "work", str(there), str(mini_bundle), "--workers", "1", "--threads", "1"]
    steps: list[dict[str, Any]] = [{"copy": [str(run), str(there)]}]
    # A bundle's record, a claim, a try and the first results take a page each, or more.
    for leave in (0, 1, 6):
        steps += [{"leave": leave * PAGE}, {"run": words}, {"free": True}]
    *refused, done = on_small_disk(disk, SIZE, [*steps, {"run": words}, {"copy": [str(there), str(tmp_path / "done")]}])
    numbers = []
    for found in refused:
        check_refused(found)
        assert unfinished(found["files"]) == []
        assert [name for name in found["files"] if "/tries/" in name] == []
        numbers.append(sum(name.startswith("run/results/") for name in found["files"]))
    assert numbers == sorted(numbers)
    assert 0 < numbers[-1] < 6
    assert done["code"] == 0
    assert merged(tmp_path / "done") == expected


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.pubtator", "out.parquet"])
def test_merge_leaves_the_file_that_was_there(run: Path, mini: BioGPT, tmp_path: Path, disk: Path, name: str) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    answer_run(run, mini)
    before = tmp_path / "before"
    before.write_text("before\n")
    words = ["corpus", "merge", str(run), "-o", str(disk / name), "--overwrite"]
    steps: list[dict[str, Any]] = [{"copy": [str(before), str(disk / name)]}]
    for leave in (0, 1) if name == "out.jsonl" else (0,):
        steps += [{"leave": leave * PAGE}, {"run": words}, {"free": True}]
    *refused, made = on_small_disk(
        disk, SIZE, [*steps, {"run": words}, {"copy": [str(disk / name), str(tmp_path / name)]}]
    )
    for found in refused:
        check_refused(found)
        assert found["files"] == {name: 7}
    assert made["code"] == 0
    form = {"jsonl": "jsonl", "gz": "jsonl", "pubtator": "pubtator", "parquet": "parquet"}[name.rpartition(".")[2]]
    expected = tmp_path / f"expected-{name}"
    corpus.merge(run, expected, output_format=form)  # type: ignore[arg-type] # one of them
    assert (tmp_path / name).read_bytes() == expected.read_bytes()
