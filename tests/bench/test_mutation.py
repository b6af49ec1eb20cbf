"""The parts of `python -m benchmarks.mutation`: which mutants it makes, which tests it asks, and what it counts."""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Self

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only")

CODE = '''"""A module."""


def clipped(value: int | None, most: int) -> int | None:
    """Docstring, 1 + 1."""
    if value is None:
        return None
    return value if value < most else most
'''


def mutation(module: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.mutation.{module}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "clip.py"
    path.write_text(CODE, encoding="utf-8")
    return path


# --- mutants


def test_mutants_change_what_is_computed_and_no_annotation(file: Path) -> None:
    pytest.importorskip("cosmic_ray")
    mutants = mutation("mutants").sample_mutants(file.parent, [file], 100, "0")
    assert {mutant.line for mutant in mutants} == {6, 8}
    for mutant in mutants:
        compile(mutant.source, "mutant", "exec")
        assert mutant.source != CODE
        assert mutant.was in " ".join(CODE.split())
        assert mutant.became != mutant.was
        assert mutant.file == "clip.py"


def test_a_sample_is_the_same_for_a_seed_and_has_a_place_once(file: Path) -> None:
    pytest.importorskip("cosmic_ray")
    sample = mutation("mutants").sample_mutants
    one = sample(file.parent, [file], 2, "a")
    assert one == sample(file.parent, [file], 2, "a")
    assert len(one) == 2
    assert len({sample(file.parent, [file], 1, str(seed))[0].became for seed in range(20)}) > 2
    every = sample(file.parent, [file], 100, "a")
    assert len({(mutant.line, mutant.operator.partition("_")[0]) for mutant in every}) == len(every)


# --- the tests that are asked


def record(path: Path) -> Path:
    lines = {"clip.py": {"6": ["t/test_b.py::one", "t/test_a.py::two"], "8": ["t/test_a.py::two"], "4": []}}
    seconds = {"t/test_a.py::two": 0.2, "t/test_a.py::three": 0.1, "t/test_b.py::one": 2.0, "t/test_c.py::four": 0.1}
    path.write_text(json.dumps({"lines": lines, "seconds": seconds}), encoding="utf-8")
    return path


def test_the_tests_that_run_a_statement_are_asked_first_and_those_of_no_other_file(tmp_path: Path) -> None:
    pytest.importorskip("cosmic_ray")
    covering = mutation("covering_tests").CoveringTests(record(tmp_path / "record.json"))

    def mutant(first: int, last: int, file: str = "clip.py") -> object:
        return mutation("mutants").Mutant(file, "core/NumberReplacer", first, (first, last), "", "", "")

    assert covering.of(mutant(8, 8)) == ["t/test_a.py::two", "t/test_a.py::three"]
    assert covering.of(mutant(6, 7)) == ["t/test_a.py::two", "t/test_b.py::one", "t/test_a.py::three"]
    # What runs when the module is imported is asked of all that run any of it.
    assert covering.of(mutant(4, 4)) == ["t/test_a.py::two", "t/test_b.py::one", "t/test_a.py::three"]
    assert covering.of(mutant(4, 4, "other.py")) == []


def test_slow_tests_are_asked_after_quick_ones_of_other_files(tmp_path: Path) -> None:
    pytest.importorskip("cosmic_ray")
    seconds = {"a.py::slow": 20.0, "a.py::quick": 0.1, "b.py::one": 0.5, "b.py::two": 0.4}
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"lines": {"clip.py": {"8": sorted(seconds)}}, "seconds": seconds}), encoding="utf-8")
    covering = mutation("covering_tests").CoveringTests(path)
    of_line = mutation("mutants").Mutant("clip.py", "core/NumberReplacer", 8, (8, 8), "", "", "")
    assert covering.of(of_line) == ["a.py::quick", "b.py::two", "b.py::one", "a.py::slow"]


# --- the process that runs them


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize(
    ("body", "seconds", "code"),
    [
        ("assert True", 60, 0),
        ("assert False", 60, 1),
        ("import nowhere", 60, 1),
        ("while True:\n        pass", 0.5, None),
    ],
)
def test_a_fork_tells_how_tests_end_and_is_killed_in_time(
    tmp_path: Path, body: str, seconds: float, code: int | None
) -> None:
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    {body}\n", encoding="utf-8")
    arguments = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    asked = json.dumps({"arguments": arguments, "seconds": seconds})
    command = [sys.executable, "-m", "benchmarks.mutation.forking"]
    done = subprocess.run(command, cwd=ROOT, input=f"{asked}\n{asked}\n", capture_output=True, text=True, check=True)
    assert [json.loads(line)["code"] for line in done.stdout.splitlines()] == [code, code], done.stdout


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_only_a_test_that_takes_far_longer_than_before_is_ended_by_its_own_time(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_long_before():\n    for _ in range(40_000_000): pass\n\n"
        "def test_short_before():\n    while True: pass\n",
        encoding="utf-8",
    )
    (tmp_path / "quick.py").write_text(
        "from benchmarks.mutation import limiting\n"
        "limiting.most_seconds = lambda seconds: 0.2 + 100 * seconds\n"
        "from benchmarks.mutation.limiting import pytest_configure\n",
        encoding="utf-8",
    )
    seconds = tmp_path / "seconds.json"
    seconds.write_text(json.dumps({"test_it.py::test_long_before": 1.0}), encoding="utf-8")
    options = ["-q", "-p", "no:cacheprovider", "-p", "quick", "--rootdir", str(tmp_path), f"{tmp_path}/test_it.py"]
    asked = [
        json.dumps({"arguments": [f"{word}{test}" if word is options[-1] else word for word in options], "seconds": 60})
        for test in ("::test_long_before", "::test_short_before")
    ]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.mutation.forking"],
        cwd=ROOT,
        input="\n".join(asked) + "\n",
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MUTATION_SECONDS": str(seconds), "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
    )
    assert [json.loads(line)["code"] for line in done.stdout.splitlines()] == [0, -signal.SIGALRM], done.stdout


# --- what a run of tests says of a mutant


class Copy:
    """A copy of the checkout whose tests end as they are told."""

    def __init__(self, code: int | None) -> None:
        self.code = code
        self.asked: list[tuple[list[str], float]] = []

    @contextmanager
    def changed(self, file: str, source: str) -> Iterator[None]:
        assert (file, source) == ("clip.py", "changed")
        yield

    def run(self, arguments: list[str], seconds: float) -> Any:
        self.asked.append((arguments, seconds))
        return SimpleNamespace(code=self.code, said="")


def one_mutant(line: int = 8) -> Any:
    return mutation("mutants").Mutant("clip.py", "core/AddNot", line, (line, line), "a", "b", "changed")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0, "survived"),
        (1, "failed"),
        (2, "unimportable"),
        # The time of the mutant was up, and no test had failed: some were not asked.
        (None, "undecided"),
        # A test took far longer than before.
        (-14, "timeout"),
        (-11, "failed"),
    ],
)
def test_a_mutant_whose_time_is_up_is_not_taken_for_caught(tmp_path: Path, code: int | None, outcome: str) -> None:
    pytest.importorskip("cosmic_ray")
    covering = mutation("covering_tests").CoveringTests(record(tmp_path / "record.json"))
    copy = Copy(code)
    assert mutation("trial").outcome_of(copy, one_mutant(), covering, 60) == outcome
    [(arguments, seconds)] = copy.asked
    assert arguments[-2:] == ["t/test_a.py::two", "t/test_a.py::three"]
    assert seconds == 60


# --- the report


HEAD = {"seed": "0", "checkout": "sha256:1"}


def report_of(path: Path | None, outcomes: Sequence[str], **head: str) -> Any:
    report = mutation("report").Report(path, {**HEAD, **head})
    for line, outcome in enumerate(outcomes, 1):
        report.add("files", one_mutant(line), outcome)
    return report


def test_a_mutant_with_which_nothing_can_be_imported_is_not_counted() -> None:
    pytest.importorskip("cosmic_ray")
    found = report_of(None, ["failed", "survived", "timeout", "unimportable", "survived"]).rooms["files"]
    assert (found["mutants"], found["caught"], found["caught_share"]) == (4, 2, 0.5)
    assert found["modules"]["clip.py"]["mutants"] == 4
    assert [mutant["line"] for mutant in mutation("report").not_caught(found["tested"])] == [2, 5]


def test_an_undecided_mutant_lowers_the_share_that_is_caught() -> None:
    pytest.importorskip("cosmic_ray")
    found = report_of(None, ["failed", "undecided"]).rooms["files"]
    assert (found["caught"], found["caught_share"], found["undecided"]) == (1, 0.5, 1)


def test_a_report_is_whole_after_each_mutant_and_is_gone_on_from(tmp_path: Path) -> None:
    pytest.importorskip("cosmic_ray")
    path = tmp_path / "report.json"
    report_of(path, ["failed", "survived"])
    assert [mutant["outcome"] for mutant in json.loads(path.read_text())["rooms"]["files"]["tested"]] == [
        "failed",
        "survived",
    ]
    assert mutation("report").not_caught_in(path) == {"files": [one_mutant(2).to_dict()]}
    again = mutation("report").Report.continued(path, HEAD)
    sample = [one_mutant(line) for line in (1, 2, 3)]
    assert again.remaining("files", sample) == [one_mutant(3)]
    again.add("files", one_mutant(3), "timeout")
    assert again.remaining("files", sample) == []
    found = json.loads(path.read_text())["rooms"]["files"]
    assert (found["mutants"], found["caught"]) == (3, 2)
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize("other", [{"seed": "1"}, {"checkout": "sha256:2"}])
def test_a_report_of_other_files_or_another_sample_is_not_gone_on_from(tmp_path: Path, other: dict[str, str]) -> None:
    pytest.importorskip("cosmic_ray")
    path = tmp_path / "report.json"
    report_of(path, ["failed"])
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"is of another {next(iter(other))}; without --continue"):
        mutation("report").Report.continued(path, {**HEAD, **other})
    assert path.read_bytes() == before


# --- the whole


class Trial:
    """A trial whose every mutant survives; the second is not begun in time."""

    def __init__(self, _room: object, _processes: int, kept: Path) -> None:
        kept.parent.mkdir(exist_ok=True)
        kept.touch()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def test(self, mutants: Sequence[Any], _seconds: float, _until: float, found: Callable[[Any, str], None]) -> None:
        found(mutants[0], "survived")


def test_a_run_that_is_gone_on_with_tests_what_is_left_and_a_new_one_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cosmic_ray")
    module = mutation("__main__")
    sample = [one_mutant(1), one_mutant(2)]
    monkeypatch.setattr(module, "Trial", Trial)
    monkeypatch.setattr(module, "sample_mutants", lambda *_: sample)
    monkeypatch.setattr(module, "checkout_digest", lambda: "sha256:1")
    path = tmp_path / "report.json"

    def run(*words: str) -> list[int]:
        assert module.main(["--room", "files", "--output", str(path), *words]) == 1
        return [mutant["line"] for mutant in json.loads(path.read_text())["rooms"]["files"]["tested"]]

    assert run() == [1]
    assert "1 mutants are left; --continue goes on with them" in capsys.readouterr().out
    assert run("--continue") == [1, 2]
    assert "are left" not in capsys.readouterr().out
    assert run("--continue") == [1, 2]
    assert run() == [1]
    assert run("--survivors-of", str(path)) == [1]

    monkeypatch.setattr(module, "checkout_digest", lambda: "sha256:2")
    assert module.main(["--room", "files", "--output", str(path), "--continue"]) == 2
    assert capsys.readouterr().err == f"error: {path} is of another checkout; without --continue it is made anew\n"
