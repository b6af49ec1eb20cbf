import json
import os
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.bench.rows import RowFile, check_versions, open_rows, read_rows
from biogpt_onnx.runtime.errors import ConfigError
from makers.contenders import MACHINE

SETTINGS = {"min_runs": 6, "min_seconds": 3.0}


def row(name: str = "int8", scenario: str = "p128-n32", **fields: Any) -> dict[str, Any]:
    return {
        "kind": "measurement",
        "status": "measured",
        "reason": None,
        "contender": {"name": name, "digest": "a" * 64},
        "scenario": {"name": scenario},
        "threads": 2,
        "machine": MACHINE,
        "settings": SETTINGS,
        "versions": {"library": "1"},
    } | fields


def opened(path: Path, digest: str = "a" * 64, settings: dict[str, Any] = SETTINGS, **machine: Any) -> RowFile:
    return open_rows(path, MACHINE | machine, {"int8": digest}, settings)


def test_what_was_measured_is_there_after_an_interruption(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = opened(path)
    rows.add(row())
    rows.add(row(scenario="HoC"))
    again = opened(path)
    assert again.rows == rows.rows
    assert again.holds(("measurement", "int8", "HoC", 2))
    assert not again.holds(("measurement", "int8", "HoC", 1))
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]


def test_what_failed_is_tried_again_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = opened(path)
    rows.add(row(status="failed", reason="the machine was full"))
    assert not rows.holds(("measurement", "int8", "p128-n32", 2))
    rows.add(row())
    assert [each["status"] for each in read_rows(path)] == ["measured"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"commit": "another"}, "its commit was"),
        ({"cpu": "another"}, "its cpu was"),
        ({"instruction_sets": []}, "its instruction_sets was"),
        ({"versions": {"biogpt-onnx": "0.2.0"}}, "its versions was"),
        ({"digest": "b" * 64}, "its digest of int8 was aaaaaaaaaaaa and is bbbbbbbbbbbb now"),
        ({"settings": {"min_runs": 3, "min_seconds": 3.0}}, "its settings was"),
    ],
)
def test_rows_of_another_machine_or_commit_are_not_continued(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "rows.jsonl"
    opened(path).add(row())
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=said) as error:
        opened(path, **change)
    assert "--restart" in str(error.value)
    assert path.read_bytes() == before


def test_restart_gives_up_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    opened(path).add(row())
    assert open_rows(path, MACHINE | {"commit": "x"}, {}, SETTINGS, restart=True).rows == []


def test_a_contender_that_is_left_out_this_time_stays(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    opened(path).add(row("int4"))
    assert len(opened(path).rows) == 1


@pytest.mark.parametrize("line", ["{", "[]", "1", '{"kind": "measurement"}', '{"format": 1}', "\x00"])
def test_a_damaged_file_is_refused_by_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    opened(path).add(row())
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ConfigError, match="line 2 is no result row: remove the line"):
        opened(path)


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row() | {"format": 2}) + "\n")
    with pytest.raises(ConfigError, match="another format"):
        opened(path)


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="has no folder"):
        opened(tmp_path / "none" / "rows.jsonl")
    with pytest.raises(ConfigError, match="is a folder"):
        opened(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match="cannot be written: name a file in a folder of yours"):
        opened(tmp_path / "rows.jsonl")


def test_a_reason_does_not_tell_where_the_checkout_lies(tmp_path: Path) -> None:
    rows = opened(tmp_path / "rows.jsonl")
    rows.add(row(status="failed", reason=f"{Path.cwd()}/build/x is missing"))
    assert rows.rows[0]["reason"] == "build/x is missing"


def test_other_versions_of_a_peer_are_refused() -> None:
    check_versions([row()], "int8", {"library": "1"})
    check_versions([row()], "int4", {"library": "2"})
    with pytest.raises(ConfigError, match="measured with library 1 and has library 2 now"):
        check_versions([row()], "int8", {"library": "2"})
