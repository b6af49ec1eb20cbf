from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.system.names import problem_of_name, problem_of_output

TRAPS = ["", ".", "..", "a/b", "../x", "/x", "a\\b", "..\\x", "\\x", "C:", "C:x", "C:\\x", "x:stream", "a\0b", "a\nb"]
OF_WINDOWS = [
    "x.",
    "x ",
    "...",
    "nul",
    "NUL.txt",
    "con",
    "Aux.json",
    "com1",
    "lpt9.data",
    "COM\u00b9",
    "a*",
    "a?",
    "a|b",
    "<a>",
]


@pytest.mark.parametrize("name", [*TRAPS, *OF_WINDOWS])
def test_what_leads_out_of_the_folder_on_any_system_is_no_name_on_every_system(name: str) -> None:
    assert problem_of_name(name) is not None


@pytest.mark.parametrize(
    "name", ["model.onnx.data", ".bundle.json", "null", "console", "com10", "a b", "\u03b2.txt", "x.tar.gz"]
)
def test_usual_names_are_names(name: str) -> None:
    assert problem_of_name(name) is None


@given(st.text(min_size=1, max_size=8) | st.from_regex(r"[.a-z:\\/ ]{1,6}", fullmatch=True))
def test_a_name_is_a_file_of_its_folder_on_every_system(name: str) -> None:
    if problem_of_name(name) is None:
        for folder in (PurePosixPath("/bundles/one"), PureWindowsPath("C:/bundles/one")):
            path = folder / name
            assert (path.parent, path.name) == (folder, name)


def test_outputs_have_any_name_but_on_windows(request: pytest.FixtureRequest) -> None:
    assert problem_of_output(Path("runs/12:30.jsonl")) is None
    request.getfixturevalue("windows")
    assert "reserves" in str(problem_of_output(Path("runs/12:30.jsonl")))
    assert "device" in str(problem_of_output(Path("aux.jsonl")))
    assert problem_of_output(Path("results.jsonl")) is None
    assert problem_of_output(Path()) is None
