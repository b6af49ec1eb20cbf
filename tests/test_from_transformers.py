"""The page "From transformers": it has every setting, and says of each what the library does."""

import re
from pathlib import Path

import pytest

from biogpt_onnx.runtime.decoding.config import SETTING_NAMES
from biogpt_onnx.runtime.decoding.other_names import OF_LLAMA_CPP, OF_TRANSFORMERS, OF_VLLM, OtherName, find

PAGE = Path(__file__).parents[1] / "docs" / "from-transformers.md"
CODE = re.compile(r"`([^`]+)`")

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="runs in the checkout only")


def rows(heading: str) -> list[list[str]]:
    """The cells of each row of the table below a heading."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    return [[cell.strip("| ") for cell in row] for row in cells[2:]]


def names(heading: str) -> set[str]:
    return {name for row in rows(heading) for name in CODE.findall(row[0])}


def test_every_setting_of_transformers_has_a_row() -> None:
    transformers = pytest.importorskip("transformers")
    assert set(transformers.GenerationConfig().to_dict()) - names("Settings") == set()


def test_each_setting_is_what_the_page_says_it_is() -> None:
    for cells in rows("Settings"):
        for name in CODE.findall(cells[0]):
            entry = find(name)
            if cells[1] == "same":
                assert name in SETTING_NAMES
            else:
                assert entry is not None, name
                assert cells[1:] == ["no effect" if entry.is_ignored else "not here", entry.remark], name


def test_each_argument_is_what_the_page_says_it_is() -> None:
    for cells in rows("Arguments of `generate`"):
        for name in CODE.findall(cells[0]):
            entry = find(name)
            if cells[1] == "other form":
                assert name in SETTING_NAMES
            else:
                assert entry is not None, name
                assert cells[1:] == ["no effect" if entry.is_ignored else "not here", entry.remark], name


def test_the_tables_of_transformers_have_every_name_that_is_known() -> None:
    listed = names("Settings") | names("Arguments of `generate`")
    assert {name for entry in OF_TRANSFORMERS for name in entry.names} <= listed


@pytest.mark.parametrize(("heading", "entries"), [("From vLLM", OF_VLLM), ("From llama-cpp-python", OF_LLAMA_CPP)])
def test_the_tables_of_other_libraries_say_what_stands_in_place(heading: str, entries: tuple[OtherName, ...]) -> None:
    assert {name for entry in entries for name in entry.names} <= names(heading)
    for cells in rows(heading):
        for name in CODE.findall(cells[0]):
            entry = find(name)
            if cells[1].startswith("same"):
                assert name in SETTING_NAMES
            else:
                assert entry is not None, name
                assert cells[1] == ("no effect: " if entry.is_ignored else "") + entry.remark, name


def test_the_settings_beside_those_of_transformers_are_named() -> None:
    (line,) = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if "lacks; [Generate text]" in line]
    named = {name for name in CODE.findall(line) if name in SETTING_NAMES}
    assert named | names("Settings") >= set(SETTING_NAMES)
