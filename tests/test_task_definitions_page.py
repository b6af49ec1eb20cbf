"""The examples of task definitions in the documentation run as they stand there."""

import json
import re
import shlex
from pathlib import Path

import pytest

from biogpt_onnx import tasks
from biogpt_onnx.cli import main
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.tasks.definitions.kinds import KINDS

PAGE = Path(__file__).parents[1] / "docs" / "tasks.md"
EXAMPLE = re.compile(
    r"^### Example: (\w+)\n+```toml\n# ([\w.]+)\n(.*?)```\n+```jsonl\n(.*?)```\n+```\n(.*?)```",
    re.MULTILINE | re.DOTALL,
)
COMMANDS = {
    "relations": ["export", "relations", "evaluate-task"],
    "answers": ["ask", "evaluate-task"],
    "classes": ["classify", "evaluate-task"],
}

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="runs in the checkout only")


def examples() -> dict[str, tuple[str, str, str, list[str]]]:
    """The definition's file name and text, the gold, and the commands of each example."""
    return {
        title: (name, definition, gold, commands.splitlines())
        for title, name, definition, gold, commands in EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("title", COMMANDS)
def test_an_example_runs_as_it_stands(  # noqa: PLR0913, PLR0917 -- fixtures
    title: str,
    mini_bundle: Path,
    mini_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, definition, gold, commands = examples()[title]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "mini").symlink_to(mini_checkpoint)
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles" / "mini").symlink_to(mini_bundle)
    Path(name).write_text(definition, encoding="utf-8")
    Path(name).with_suffix(".jsonl").write_text(gold, encoding="utf-8")
    task = tasks.load(name)
    assert task.name == Path(name).stem
    ran = []
    for line in commands:
        words = shlex.split(line)
        assert words.pop(0) == "biogpt-onnx"
        assert main(words) == 0
        printed = capsys.readouterr().out
        ran.append(words[0])
        if words[0] == "export":
            assert read_manifest(Path("bundles") / task.name).task == task.name
        elif words[0] == "evaluate-task":
            assert printed.startswith(f"# {task.name}\n")
            assert ("exact places" in printed) == (title == "relations")
        else:
            assert [json.loads(row)["id"] for row in printed.splitlines()] == ["1", "2"]
    assert ran == COMMANDS[title]


def test_the_table_of_keys_has_every_key_of_every_kind() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("### Keys of a definition")[2].partition("###")[0]
    cells = [row.split("|")[1] for row in text.splitlines() if row.startswith("| `")]
    named = {word.strip("[]") for cell in cells for word in re.findall(r"`([^`]+)`", cell)}
    assert named == {key for kind in KINDS.values() for key in kind.all_keys}


def test_the_gold_of_every_kind_is_shown_in_the_general_form() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## Evaluate a checkpoint")[2]
    (rows,) = re.findall(r"```jsonl\n(.*?)```", text, re.DOTALL)
    relation, answer, label = map(json.loads, rows.splitlines())
    assert {"head", "relation", "tail", "head_span", "tail_span"} == set(relation["relations"][0])
    assert relation["text"][slice(*relation["relations"][0]["head_span"])] == relation["relations"][0]["head"]
    assert (answer["answer"], label["labels"]) == ("maybe", ["fatal"])
