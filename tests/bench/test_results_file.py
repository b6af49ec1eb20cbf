import argparse
import re
from pathlib import Path

import pytest

from benchmarks.micro import quantizing
from benchmarks.results_file import output_file

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_a_file_that_can_be_written_is_taken_and_not_made(tmp_path: Path) -> None:
    assert output_file(str(tmp_path / "results.json")) == tmp_path / "results.json"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "why"), [("gone/results.json", "has no folder"), (".", "is a folder")])
def test_a_file_that_cannot_be_written_says_why(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=why):
        output_file(str(tmp_path / name))


def test_a_program_refuses_it_before_it_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["quantizing", "--output", str(tmp_path / "gone" / "results.json")])
    with pytest.raises(SystemExit) as ended:
        quantizing.main()
    assert ended.value.code == 2
    assert "argument --output: output" in capsys.readouterr().err


def test_every_program_reads_it_so() -> None:
    """That of the comparison checks its own, a file of rows that may be gone on with."""
    options = {
        path.relative_to(BENCHMARKS).as_posix(): option
        for path in BENCHMARKS.rglob("*.py")
        for option in re.findall(r'"--output", type=(\w+)', path.read_text(encoding="utf-8"))
    }
    assert len(options) > 20
    assert {name for name, option in options.items() if option != "output_file"} == {"compare/__main__.py"}
