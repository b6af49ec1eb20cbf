"""An empty name, as of a variable that a script did not set, is refused; as a path it would be the current folder."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.cli.commands import COMMANDS, load_command
from biogpt_onnx.cli.commands.corpus import PARTS

ALL = [*(name for name in COMMANDS if name != "corpus"), *(f"corpus.{part}" for part in PARTS)]
TEXTS = {"prompts", "--stop", "--allowed", "--question"}
"""Arguments that are no names. An empty prompt, for one, is a document's to answer for."""
CHECKED_LATER = {"--recipe", "--scenario", "--precision", "--fields", "--entity-type", "--shard", "inputs"}
"""Arguments whose values are looked up in a list, or taken apart, which an empty text does not outlive."""
LATER = [
    ["quantize", ".", "-o", "output", "--recipe", ""],
    ["bench", ".", "--scenario", ""],
    ["bench", ".", "--precision", ""],
    ["relations", ".", "text.txt", "--task", "bc5cdr", "--fields", ""],
    ["relations", ".", "text.txt", "--task", "bc5cdr", "--entity-type", ""],
    ["corpus", "work", "run", ".", "--shard", ""],
    ["corpus", "prepare", "", "-o", "run", "--task", "bc5cdr"],
]


def named_arguments(command: str) -> Iterator[argparse.Action]:
    parser = argparse.ArgumentParser()
    load_command(command).add_arguments(parser)
    for action in parser._actions:
        if action.nargs != 0 and action.choices is None and action.type not in (int, float):
            yield action


def name_of(action: argparse.Action) -> str:
    return next((name for name in action.option_strings if name.startswith("--")), action.dest)


def takes(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except argparse.ArgumentTypeError:
        return False
    return True


@pytest.mark.parametrize("command", ALL)
def test_no_argument_takes_an_empty_name(command: str) -> None:
    checked = [action for action in named_arguments(command) if name_of(action) not in TEXTS | CHECKED_LATER]
    assert checked
    for action in checked:
        read = action.type if callable(action.type) else str
        assert not takes(read, ""), name_of(action)


@pytest.fixture
def in_a_bundle(mini_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is a bundle, which an empty path would name."""
    for file in mini_bundle.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "text.txt").write_text("Lithium caused tremor.\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def refuse(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    try:
        code: object = main(arguments)
    except SystemExit as ended:
        code = ended.code
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert (code, captured.out) == (2, "")
    assert line.startswith("error: ")
    return line


@pytest.mark.usefixtures("in_a_bundle")
@pytest.mark.parametrize(
    "arguments",
    [
        ["info", ""],
        ["serve", "", "--port", "0"],
        ["generate", "", "Aspirin"],
        ["bench", ".", ""],
        ["evaluate", ".", "--baseline", "", "--text", "text.txt"],
        ["corpus", "work", "run", ""],
        ["embed", ".", "text.txt", "-o", ""],
    ],
)
def test_the_error_says_which_argument_it_was(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    error = refuse(arguments, capsys)
    assert "an empty name was given" in error
    assert error.startswith("error: argument ")


@pytest.mark.usefixtures("in_a_bundle")
@pytest.mark.parametrize("arguments", LATER)
def test_an_empty_choice_is_refused_as_an_unknown_one(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    refuse(arguments, capsys)
    assert not Path("output").exists()
    assert not Path("run").exists()
