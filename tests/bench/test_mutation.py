"""The parts of `python -m benchmarks.mutation`: which mutants it makes, which tests it asks, and what it counts."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

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
    assert covering.seconds(["t/test_a.py::two", "t/test_b.py::one"]) == pytest.approx(2.2)


# --- the process that runs them


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize(
    ("body", "seconds", "code"),
    [
        ("assert True", 60, 0),
        ("assert False", 60, 1),
        ("import nowhere", 60, 1),
        ("while True:\n        pass", 3, None),
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


# --- the report


def test_a_mutant_with_which_nothing_can_be_imported_is_not_counted() -> None:
    pytest.importorskip("cosmic_ray")
    make = mutation("mutants").Mutant
    mutants = [make(name, "core/AddNot", 1, (1, 1), "a", "b", "") for name in ("x.py", "x.py", "y.py", "y.py", "y.py")]
    outcomes = ["failed", "survived", "timeout", "unimportable", "survived"]
    found = mutation("__main__").summary(mutants, outcomes)
    assert (found["mutants"], found["caught"], found["caught_share"]) == (4, 2, 0.5)
    assert found["modules"]["y.py"]["mutants"] == 2
    assert [survivor["file"] for survivor in found["survivors"]] == ["x.py", "y.py"]
