"""The table of `make coverage`, and the rooms that it objects to."""

import json
from pathlib import Path

import pytest

from check_coverage import main, room_of


def report(path: Path, **files: tuple[int, int, int, int]) -> str:
    names = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    content = {
        name.replace("__", "/"): {
            "summary": dict(zip(names, counts, strict=True)),
            "missing_lines": [3] if counts[1] < counts[0] else [],
            "missing_branches": [[5, 7]] if counts[3] < counts[2] else [],
        }
        for name, counts in files.items()
    }
    path.write_text(json.dumps({"files": content}), encoding="utf-8")
    return str(path)


def test_a_file_is_of_the_room_that_it_lies_in() -> None:
    assert room_of("runtime/decoding/config.py") == "runtime"
    assert room_of("biogpt_onnx/tasks/labels.py") == "biogpt_onnx/tasks"


def test_rooms_that_are_run_enough_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = report(tmp_path / "a.json", runtime__a=(100, 95, 100, 95), runtime__b=(0, 0, 0, 0), export__c=(9, 9, 0, 0))
    assert main([path]) == 0
    table = capsys.readouterr().out
    assert [line.split() for line in table.splitlines()[1:]] == [
        ["export", "100.0", "%", "100.0", "%", "100.0", "%"],
        ["runtime", "95.0", "%", "95.0", "%", "95.0", "%"],
    ]


def test_branches_alone_make_a_room_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = report(tmp_path / "a.json", runtime__a=(1000, 1000, 100, 94), export__c=(9, 9, 2, 2))
    assert main([path, "--missing"]) == 1
    said = capsys.readouterr().out
    assert "less than 95 % of runtime\n" in said
    assert "runtime/a: lines none; branches 5->7" in said
    assert "export/c" not in said


def test_a_room_that_is_short_in_its_own_report_fails_beside_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = [
        report(tmp_path / "export.json", export__a=(100, 100, 10, 10)),
        report(tmp_path / "runtime.json", runtime__a=(100, 90, 10, 10)),
    ]
    assert main(reports) == 1
    assert "less than 95 % of runtime\n" in capsys.readouterr().out
    assert main(reports[:1]) == 0


def test_nothing_measured_is_no_success(tmp_path: Path) -> None:
    assert main([report(tmp_path / "a.json")]) == 1
