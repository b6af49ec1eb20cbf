import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from biogpt_onnx import BioGPT, corpus
from biogpt_onnx.cli import main
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.working.tries import Tries
from makers.corpora import answer_run, documents, worker_of, write_json_lines


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_json_lines(tmp_path / "in.jsonl", documents(7, id="bad", text=" "))


def command(*words: object) -> int:
    return main(["corpus", *map(str, words)])


def test_from_documents_to_one_file(
    source: Path, mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, output = tmp_path / "run", tmp_path / "out.jsonl"
    assert command("prepare", source, "-o", run, "--task", "bc5cdr", "--unit-documents", "4") == 0
    assert capsys.readouterr().out == (
        f"{run}: 8 documents of 1 files in 2 units\nbad rows: 1, whose records will be errors\n"
    )
    assert command("work", run, mini_bundle, "--workers", "1", "--threads", "1") == 0
    captured = capsys.readouterr()
    assert captured.out == f"{run}: 2 of 2 units done, 8 documents\n"
    assert captured.err.startswith("note: 1 process of 1 thread each, at most about ")
    assert command("status", run, "--json") == 0
    assert json.loads(capsys.readouterr().out)["is_complete"]
    assert command("merge", run, "-o", output) == 0
    assert capsys.readouterr().out == f"{output}: 8 documents, of which 1 are errors\n"
    records = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [record["number"] for record in records] == list(range(1, 9))
    # All is done: the same again returns at once, without a process.
    assert command("work", run, mini_bundle) == 0
    assert capsys.readouterr().err == ""


def test_settings_of_the_task_come_from_prepare(source: Path, mini: BioGPT, tmp_path: Path) -> None:
    run = tmp_path / "run"
    more = ("--min-score", "0.99", "--too-long", "windows", "--window-tokens", "128", "--normalize-punctuation")
    assert command("prepare", source, "-o", run, "--task", "bc5cdr", *more) == 0
    settings = Run.open(run).settings
    assert settings.min_score == 0.99
    assert (settings.reading.too_long, settings.reading.window_tokens) == ("windows", 128)
    answer_run(run, mini)
    corpus.merge(run, tmp_path / "out.jsonl")
    assert '"relations": []' in (tmp_path / "out.jsonl").read_text(encoding="utf-8")


def test_the_status_in_words(run: Path, mini: BioGPT, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    opened = Run.open(run)
    worker_of(run, mini).work(opened.units[4:])
    Tries(opened).set_aside(opened.units[0], 3, "it crashed")
    (run / "results" / "000001.jsonl").write_text("{}\n")
    assert command("status", run) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "task: bc5cdr",
        "units: 6, of which 2 done, 0 running, 3 waiting",
        f"documents: 24, of which {sum(unit.documents for unit in opened.units[4:])} done",
    ]
    assert lines[3].endswith(" documents a minute and process")
    assert lines[4] == "unit 000000 was set aside after 3 tries: it crashed"
    assert lines[5].startswith("damaged: ")
    assert lines[6:] == [
        "errors: 1 documents",
        f"  1 x the text is empty: give a text ({tmp_path / 'documents.jsonl'}, line 24)",
    ]


def test_a_partial_file_is_said_to_be_one(
    run: Path, mini: BioGPT, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker_of(run, mini).work(Run.open(run).units[:5])
    assert command("merge", run, "-o", tmp_path / "out.pubtator", "--partial") == 1
    captured = capsys.readouterr()
    assert "warning: 1 units of " in captured.err
    assert (tmp_path / "out.pubtator").read_text(encoding="utf-8").startswith("d0|t|")


def test_what_was_dropped_and_what_was_not_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_json_lines(folder / "a.jsonl", [*documents(2), *documents(1)])
    (folder / "a.md5").write_text("x")
    assert command("prepare", folder, "-o", tmp_path / "run", "--task", "bc5cdr") == 0
    captured = capsys.readouterr()
    assert "dropped: 1 old versions of documents whose id comes again\n" in captured.out
    assert f"note: 1 files of folders were not read, as their names stand for no format: {folder / 'a.md5'}" in (
        captured.err
    )


def test_a_unit_that_was_removed_by_hand_is_named_and_the_rest_is_answered(
    run: Path, mini_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run / "units" / "000002.jsonl"
    path.unlink()
    assert command("work", run, mini_bundle, "--workers", "1", "--threads", "1") == 1
    captured = capsys.readouterr()
    assert captured.err.splitlines()[1:] == [
        f"warning: unit 000002 was set aside: {path} is not as it was prepared: restore it, or prepare the run again",
        f"warning: set aside: 000002; `biogpt-onnx corpus status {run}` says why, --retry tries again",
    ]
    assert captured.out.startswith(f"{run}: 5 of 6 units done")


def foreign(_run: Path, bundle: Path, folder: Path) -> list[object]:
    other = shutil.copytree(bundle, folder / "other")
    manifest = json.loads((other / "bundle.json").read_text(encoding="utf-8"))
    (other / "bundle.json").write_text(json.dumps({**manifest, "task": "hoc"}), encoding="utf-8")
    return ["work", _run, other]


def newer(run: Path, _bundle: Path, _folder: Path) -> list[object]:
    description = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps({**description, "version": 2, "package": "9.0"}), encoding="utf-8")
    return ["status", run]


def prepare_words(name: str) -> Callable[[Path, Path, Path], list[object]]:
    """A run of the inputs that `test_bad_input_is_one_line` finds below a name."""
    return lambda _run, _bundle, folder: ["prepare", folder / name, "-o", folder / "new", "--task", "bc5cdr"]


BAD: dict[str, Callable[[Path, Path, Path], list[object]]] = {
    "the bundle is fine-tuned for hoc, not for bc5cdr": foreign,
    "there is no folder": lambda _, __, folder: ["status", folder / "missing"],
    "is a run of version 2, and this package reads up to version 1: install biogpt-onnx 9.0 or later": newer,
    "holds no file: name another, or its files by a pattern": prepare_words("empty"),
    "is jsonl and": prepare_words("mixed"),
    "is no corpus run": lambda _, bundle, __: ["status", bundle],
    "is not complete: 6 of 6 units": lambda run, _, folder: ["merge", run, "-o", folder / "out.jsonl"],
    "shard is '9'": lambda run, bundle, _: ["work", run, bundle, "--shard", "9"],
    "workers is 0": lambda run, bundle, _: ["work", run, bundle, "--workers", "0"],
    "tries is 0": lambda run, bundle, _: ["work", run, bundle, "--tries", "0"],
    "is there already": lambda run, _, folder: [
        "prepare",
        folder / "documents.jsonl",
        "-o",
        run,
        "--task",
        "bc5cdr",
    ],
    "task is 'bc5cd'": lambda _, __, folder: [
        *("prepare", folder / "documents.jsonl", "-o", folder / "new", "--task", "bc5cd"),
    ],
    "has a name in .csv": lambda run, _, folder: ["merge", run, "-o", folder / "out.csv"],
    "see biogpt-onnx corpus work --help": lambda run, bundle, _: ["work", run, bundle, "--unknown"],
    "see biogpt-onnx corpus --help": lambda *_: [],
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_one_line(
    run: Path, mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "mixed").mkdir()
    write_json_lines(tmp_path / "mixed" / "a.jsonl", documents(2))
    (tmp_path / "mixed" / "b.txt").write_text("Lithium.\n")
    words = BAD[message](run, mini_bundle, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    try:
        code: object = command(*words)
    except SystemExit as ended:
        code = ended.code
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before
