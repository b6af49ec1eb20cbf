"""Every command with every kind of bad input: exit code 2, one line that says so, and nothing left behind."""

import hashlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.cli.commands import COMMANDS
from biogpt_onnx.runtime.bundle import MANIFEST_FILE
from conftest import MakeOnce
from makers.bundles import export_with_head
from makers.checkpoints import SEQUENCE, TOKENS

Fill = Callable[[str], str]
"""Puts paths in the places of their names, such as "{bundle}"."""

GOLD = '{"11": {"title": "Tremor.", "abstract": "Lithium caused tremor.", "triples": []}}'
TEXT = "Lithium caused tremor in two patients.\nCisplatin caused renal failure.\n"


@dataclass(frozen=True)
class Form:
    """A command that would work.

    Attributes:
        command: its name and arguments, with names of paths in braces.
        bundle: the name of the bundle that it reads; empty for none.
        text: the name of the file that it reads; empty for none.
        output: the name of what it writes; empty for none.
        checkpoint: the name of the checkpoint that it reads; empty for none.
    """

    command: str
    bundle: str = "{bundle}"
    text: str = ""
    output: str = ""
    checkpoint: str = ""


FORMS = {
    "export": Form("export {checkpoint} -o {output}", bundle="", output="{output}", checkpoint="{checkpoint}"),
    "verify": Form("verify {bundle} --against {checkpoint}", checkpoint="{checkpoint}"),
    "quantize": Form("quantize {bundle} -o {output} --recipe int8 --text {text}", text="{text}", output="{output}"),
    "evaluate": Form("evaluate {bundle} --baseline {bundle} --text {text}", text="{text}"),
    "bench": Form("bench {bundle} --scenario p16-n32 --output {output}", output="{output}"),
    "advise": Form("advise {bundle} --threads 1 --seconds 0"),
    "generate": Form("generate {bundle} Aspirin"),
    "relations": Form("relations {bundle} {text} -o {output} --task bc5cdr", text="{text}", output="{output}"),
    "ask": Form("ask {bundle} {text} -o {output} --question Why?", text="{text}", output="{output}"),
    "classify": Form("classify {classifier} {text} -o {output}", "{classifier}", text="{text}", output="{output}"),
    "tag": Form("tag {tagger} {text} -o {output}", "{tagger}", text="{text}", output="{output}"),
    "embed": Form("embed {bundle} {text} -o {output}", text="{text}", output="{output}"),
    "describe": Form("describe {bundle} {text} -o {output}", text="{text}", output="{output}"),
    "serve": Form("serve {bundle} --port 0"),
    "evaluate-task": Form("evaluate-task {bundle} --gold {gold} --task bc5cdr", text="{gold}"),
    "info": Form("info {bundle}"),
}


ELSEWHERE = {"corpus", "web"}
"""Commands whose bad input has tests of its own."""


def test_every_command_has_a_form() -> None:
    assert set(FORMS) == set(COMMANDS) - ELSEWHERE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder in which all good and bad paths lie."""
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "gold.json").write_text(GOLD, encoding="utf-8")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "binary").write_bytes(np.random.default_rng(0).bytes(3000) + b"\0\xff\n")
    (tmp_path / "a-folder").mkdir()
    (tmp_path / "a-folder" / "notes.txt").write_text("kept\n", encoding="utf-8")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / MANIFEST_FILE).write_bytes(b'{"format_version": 1, \xff\0')
    return tmp_path


@pytest.fixture
def fill(folder: Path, mini_bundle: Path, mini_checkpoint: Path, make_once: MakeOnce) -> Fill:
    paths = {
        "bundle": mini_bundle,
        "checkpoint": mini_checkpoint,
        "classifier": make_once("bad-input-classifier", lambda to: export_with_head(to, SEQUENCE)),
        "tagger": make_once("bad-input-tagger", lambda to: export_with_head(to, TOKENS)),
        "text": folder / "text.txt",
        "gold": folder / "gold.json",
        "output": folder / "output",
    }
    return lambda word: word.format(**paths)


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


@pytest.fixture
def refused(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[str]], str]:
    """Runs a command that must fail, checks how it does, and returns its error."""

    def run(arguments: list[str]) -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
        before = contents(folder)
        try:
            code: object = main(arguments)
        except SystemExit as ended:
            code = ended.code
        captured = capsys.readouterr()
        assert code == 2, (code, captured)
        assert captured.out == ""
        lines = captured.err.splitlines()
        assert [line for line in lines if not line.startswith(("note: ", "warning: "))] == lines[-1:]
        assert lines[-1].startswith("error: ")
        assert contents(folder) == before
        return lines[-1]

    return run


def cases(place: str, bad: dict[str, str]) -> list[pytest.ParameterSet]:
    """Each form with each bad path in one of its places."""
    found = []
    for name, form in FORMS.items():
        there = getattr(form, place)
        for kind, path in bad.items() if there else ():
            words = [path if word == there else word for word in form.command.split()]
            found.append(pytest.param(words, path, id=f"{name}-{kind}"))
    return found


BUNDLES = {
    "missing": "missing",
    "file": "text.txt",
    "empty-file": "empty",
    "other-folder": "a-folder",
    "damaged": "damaged",
}
INPUTS = {"missing": "missing", "folder": "a-folder", "empty": "empty", "binary": "binary"}
OUTPUTS = {"below-a-file": "text.txt/output", "folder": "a-folder"}
NO_FOLDER = {"below-nothing": "missing/folder/output"}
"""Where results cannot be written; for a bundle, the folders above it are made."""


@pytest.mark.parametrize(("words", "bad"), cases("bundle", BUNDLES))
def test_a_bad_bundle(
    words: list[str], bad: str, fill: Fill, folder: Path, refused: Callable[[list[str]], str]
) -> None:
    error = refused([str(folder / bad) if word == bad else fill(word) for word in words])
    assert str(folder / bad) in error


@pytest.mark.parametrize(("words", "bad"), cases("checkpoint", BUNDLES))
def test_a_bad_checkpoint(
    words: list[str], bad: str, fill: Fill, folder: Path, refused: Callable[[list[str]], str]
) -> None:
    if words[0] == "verify":
        # Without what it compares with, that is said first.
        pytest.importorskip("torch")
    error = refused([str(folder / bad) if word == bad else fill(word) for word in words])
    assert str(folder / bad) in error


@pytest.mark.parametrize(("words", "bad"), cases("text", INPUTS))
def test_a_bad_input(words: list[str], bad: str, fill: Fill, folder: Path, refused: Callable[[list[str]], str]) -> None:
    error = refused([str(folder / bad) if word == bad else fill(word) for word in words])
    assert bad in error


@pytest.mark.parametrize(
    ("words", "bad"),
    [
        *cases("output", OUTPUTS),
        *(case for case in cases("output", NO_FOLDER) if str(case.id).partition("-")[0] not in {"export", "quantize"}),
    ],
)
def test_a_bad_output(
    words: list[str], bad: str, fill: Fill, folder: Path, refused: Callable[[list[str]], str]
) -> None:
    refused([str(folder / bad) if word == bad else fill(word) for word in words])


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("more", [["--unknown"], ["--threads", "none"], ["--device", "tpu"], ["--debug=yes"]])
def test_bad_options(name: str, more: list[str], fill: Fill, refused: Callable[[list[str]], str]) -> None:
    assert f"see biogpt-onnx {name} --help" in refused([*map(fill, FORMS[name].command.split()), *more])


@pytest.mark.parametrize("name", [name for name in FORMS if name != "bench"])
def test_nothing_but_the_name(name: str, refused: Callable[[list[str]], str]) -> None:
    assert f"see biogpt-onnx {name} --help" in refused([name])


@pytest.mark.parametrize("arguments", [[], ["translate"], ["--unknown"], ["bench"]])
def test_no_command(arguments: list[str], refused: Callable[[list[str]], str]) -> None:
    refused(arguments)
