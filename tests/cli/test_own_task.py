"""A task of one's own, in a TOML file, goes through every command that takes a task."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.runtime.bundle import read_manifest
from makers.documents import save

RELATIONS = """
kind = "relations"
name = "mine"
statement = "the relation between {head} and {tail} exists"
relation = "cause"
head_type = "Drug"
tail_type = "Disease"
"""
ANSWERS = """
kind = "answers"
name = "population"
sentence = "the study was done in {label}."
labels = ["adults", "children", "rats"]
prompt = "{text} "
"""
CLASSES = """
kind = "classification"
name = "severity"
sentence = "the event is {label}."
labels = ["mild", "severe"]
"""
DESCRIPTION = """
kind = "description"
name = "summary"
prompt = "in short, {text} is"
soft_prompt_size = 0

[decoding]
num_beams = 1
min_new_tokens = 2
max_new_tokens = 6
"""
TEXTS = "Lithium caused tremor in nine adults.\nCisplatin caused renal failure in rats.\n"

Answered = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def define(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        return save(tmp_path, "mine.toml", text)

    return write


@pytest.fixture
def answered(mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Answered:
    """Runs a command on two documents and returns its records."""
    texts = save(tmp_path, "texts.txt", TEXTS)

    def run(command: str, *more: object) -> list[dict[str, Any]]:
        assert main([command, str(mini_bundle), str(texts), *map(str, more)]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_relations_answers_labels_and_descriptions_of_ones_own(
    answered: Answered, define: Callable[[str], Path]
) -> None:
    found = answered("relations", "--task", define(RELATIONS))
    assert {relation["relation"] for record in found for relation in record["relations"]} == {"cause"}
    found = answered("ask", "--task", define(ANSWERS))
    assert all(record["label"] in {"adults", "children", "rats"} for record in found)
    found = answered("classify", "--task", define(CLASSES))
    assert all(set(record["probabilities"]) == {"mild", "severe"} for record in found)
    found = answered("describe", "--task", define(DESCRIPTION))
    assert found[0]["text"].startswith("in short, Lithium caused tremor in nine adults. is")


def test_answers_labels_and_relations_below_the_least_probability_are_left_out(
    answered: Answered, define: Callable[[str], Path]
) -> None:
    assert [record["label"] for record in answered("ask", "--task", define(ANSWERS), "--min-score", "1")] == [None] * 2
    found = answered("classify", "--task", define(CLASSES), "--min-score", "1")
    assert [record["labels"] for record in found] == [[], []]
    found = answered("relations", "--task", define(RELATIONS), "--min-score", "1")
    assert [record["relations"] for record in found] == [[], []]
    everything = answered("relations", "--task", "bc5cdr")
    scores = [relation["score"] for record in everything for relation in record["relations"]]
    assert scores
    assert answered("relations", "--task", "bc5cdr", "--min-score", "0") == everything


def test_self_relations_are_kept_if_they_are_allowed(
    mini_bundle: Path, tmp_path: Path, define: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    # Of a text with one entity, a model relates this with itself.
    texts = str(save(tmp_path, "one.txt", "Haloperidol.\n"))

    def heads(*more: str) -> list[str]:
        assert main(["relations", str(mini_bundle), texts, "--task", str(define(RELATIONS)), *more]) == 0
        (record,) = map(json.loads, capsys.readouterr().out.splitlines())
        return [relation["head"] for relation in record["relations"] if relation["head"] == relation["tail"]]

    assert heads() == []
    assert heads("--allow-self-relations") == ["Haloperidol"]


def test_types_of_ones_own_are_those_of_given_entities(
    mini_bundle: Path, tmp_path: Path, define: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = define(RELATIONS + '[type_names]\nDrug = ["T103"]\n')
    entities = [{"text": "lithium", "type": "T103"}, {"text": "tremor", "type": "Disease"}]
    rows = save(tmp_path, "rows.jsonl", json.dumps({"text": "Lithium caused tremor.", "entities": entities}) + "\n")
    command = ["relations", str(mini_bundle), str(rows), "--given-entities", "--task", str(path)]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert "none of which" not in captured.err
    (record,) = map(json.loads, captured.out.splitlines())
    assert {(one["head"], one["tail"]) for one in record["relations"]} <= {("Lithium", "tremor")}


def test_the_file_that_defines_the_task_is_never_replaced(
    mini_bundle: Path, tmp_path: Path, define: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path, texts = define(RELATIONS), save(tmp_path, "texts.txt", TEXTS)
    command = ["relations", str(mini_bundle), str(texts), "--task", str(path), "-o", str(path), "--overwrite"]
    assert main(command) == 2
    assert "is what is read" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == RELATIONS


def test_entities_without_a_type_have_one_in_annotation_formats(
    mini_bundle: Path, tmp_path: Path, define: Callable[[str], Path]
) -> None:
    path = define(RELATIONS.replace('head_type = "Drug"\ntail_type = "Disease"\n', ""))
    entities = [{"text": "lithium", "type": "T103"}, {"text": "tremor"}]
    rows = save(tmp_path, "rows.jsonl", json.dumps({"id": "1", "text": "Lithium caused tremor.", "entities": entities}))
    for name, more, types in (("a", [], {"Entity"}), ("b", ["--given-entities"], {"T103", "Entity"})):
        output = tmp_path / f"{name}.pubtator"
        assert main(["relations", str(mini_bundle), str(rows), "-o", str(output), "--task", str(path), *more]) == 0
        fields = [line.split("\t") for line in output.read_text(encoding="utf-8").splitlines()]
        assert {each[4] for each in fields if len(each) == 6} == types


@pytest.fixture
def exported(
    mini_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], tuple[Path, str]]:
    """Exports the embedded checkpoint for a task and returns the bundle and what standard error says."""

    def export(task: str) -> tuple[Path, str]:
        target = tmp_path / "bundle"
        assert main(["export", str(mini_checkpoint), "-o", str(target), "--task", task, "--overwrite"]) == 0
        return target, capsys.readouterr().err

    return export


def test_a_bundle_of_a_task_of_ones_own_runs_it_and_says_what_it_needs(
    exported: Callable[[str], tuple[Path, str]],
    define: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = define(RELATIONS)
    bundle, said = exported(str(path))
    assert read_manifest(bundle).task == "mine"
    assert "known tasks" not in said
    texts = str(save(tmp_path, "texts.txt", TEXTS))
    assert main(["relations", str(bundle), texts, "--task", str(path)]) == 0
    capsys.readouterr()
    assert main(["relations", str(bundle), texts]) == 2
    assert capsys.readouterr().err == (
        "error: the bundle is fine-tuned for mine, which is not among the known tasks: define it in a TOML file and "
        "say --task FILE.toml\n"
    )
    assert main(["relations", str(bundle), texts, "--task", "bc5cdr"]) == 2
    assert "fine-tuned for mine, not for bc5cdr" in capsys.readouterr().err


def test_any_name_can_be_recorded_and_one_that_may_be_mistyped_is_noted(
    exported: Callable[[str], tuple[Path, str]],
    mini_checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle, said = exported("bc5-cdr")
    assert read_manifest(bundle).task == "bc5-cdr"
    assert "note: 'bc5-cdr' is none of the known tasks (did you mean 'bc5cdr'?): commands need a TOML file" in said
    for name, words in (("description", "for which no checkpoint is fine-tuned"), (" ", "give the name of a task")):
        assert main(["export", str(mini_checkpoint), "-o", str(tmp_path / "none"), "--task", name]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


GOLD: list[dict[str, Any]] = [
    {
        "id": "1",
        "text": "Lithium caused tremor.",
        "entities": [{"text": "Lithium", "type": "Drug", "span": [0, 7]}, {"text": "tremor", "type": "Disease"}],
        "relations": [{"head": "Lithium", "tail": "tremor", "head_span": [0, 7], "tail_span": [15, 21]}],
    },
    {"id": "2", "text": "Nothing was seen.", "entities": [], "relations": []},
]


def gold_file(folder: Path, rows: list[dict[str, Any]]) -> Path:
    return save(folder, "gold.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def test_relations_of_ones_own_are_scored_by_names_and_places(
    mini_bundle: Path, tmp_path: Path, define: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate-task", str(mini_bundle), "--gold", str(gold_file(tmp_path, GOLD)), "--task"]
    task = str(define(RELATIONS))
    assert main([*command, task, "--given-entities", "--baseline", str(mini_bundle)]) == 0
    report = capsys.readouterr().out
    assert report.startswith("# mine\n")
    assert f"| {mini_bundle}, exact places | " in report
    assert main([*command, task, "--given-entities", "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert fields["gold"] == 1
    # Whatever is said is of given entities, which have one place each.
    assert fields["standing"]["measures"] == fields["exact_places"]["measures"]
    assert main([*command, "bc5cdr", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "bc5cdr"
    assert main([*command, task, "--min-score", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predicted"] == 0


def test_gold_of_whose_types_none_is_wanted_is_warned_of(
    mini_bundle: Path, tmp_path: Path, define: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, Any]] = json.loads(json.dumps(GOLD).replace('"Drug"', '"T103"'))
    command = [
        "evaluate-task",
        str(mini_bundle),
        "--gold",
        str(gold_file(tmp_path, rows)),
        "--given-entities",
        "--json",
    ]
    task = ["--task", str(define(RELATIONS))]
    assert main([*command, *task]) == 0
    captured = capsys.readouterr()
    assert "names entities of the types Disease (1), T103 (1), none of which is a Drug" in captured.err.replace(
        "T103 (1), Disease (1)", "Disease (1), T103 (1)"
    )
    assert json.loads(captured.out)["predicted"] == 0
    assert main([*command, *task, "--entity-type", "Drug=T103"]) == 0
    captured = capsys.readouterr()
    assert "none of which" not in captured.err
    assert json.loads(captured.out)["predicted"] == 1
    assert main([*command, "--task", "pubmedqa", "--entity-type", "Drug=T103"]) == 2
    assert "--entity-type names types of entities, pubmedqa has none" in capsys.readouterr().err


def test_answers_and_labels_of_ones_own_are_scored(
    mini_bundle: Path, tmp_path: Path, define: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = gold_file(tmp_path, [{"text": "Nine rats.", "answer": "rats"}, {"text": "Adults.", "answer": "adults"}])
    command = ["evaluate-task", str(mini_bundle), "--gold", str(path), "--training", str(path)]
    assert main([*command, "--task", str(define(ANSWERS))]) == 0
    report = capsys.readouterr().out
    assert report.startswith("# population\n")
    assert "of the training set" in report
    path = gold_file(tmp_path, [{"text": "He died.", "labels": ["severe"]}, {"text": "He sneezed.", "labels": []}])
    assert main([*command, "--task", str(define(CLASSES)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "severity"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["relations", "--task", "TOML"], "mine.toml: the key 'statment' is unknown (did you mean 'statement'?)"),
        (["export", "--task", "TOML"], "mine.toml: the key 'statment' is unknown"),
        (["evaluate-task", "--task", "TOML"], "mine.toml: the key 'statment' is unknown"),
        (["relations", "--task", "nowhere.toml"], "nowhere.toml: No such file"),
        (["relations", "--task", "bc5cd"], "task is 'bc5cd' (did you mean 'bc5cdr'?): known are bc5cdr, kd-dti"),
        (["relations", "--task", "hoc"], "--task is hoc, a task of classification: use the command classify"),
        (["ask", "--task", "ddi"], "--task is ddi, a task of relation extraction: use the command relations"),
        (["describe", "--task", "pubmedqa"], "a task of question answering: use the command ask"),
        (["evaluate-task", "--task", "description"], "the task description has no gold answers to be scored against"),
        (["ask", "--min-score", "2"], "--min-score is 2: give a number from 0 to 1"),
        (["ask", "--min-score", "nan"], "--min-score is nan: give a number from 0 to 1"),
        (
            ["relations", "--task", "bc5cdr", "--max-source-tokens", "0"],
            "max_source_tokens is 0: give a whole number of 1 or more",
        ),
        (
            ["evaluate-task", "--task", "pubmedqa", "--allow-self-relations"],
            "--allow-self-relations is no setting of pubmedqa: leave it out",
        ),
    ],
)
def test_bad_input_is_one_line(  # noqa: PLR0913, PLR0917 -- fixtures
    mini_bundle: Path,
    mini_checkpoint: Path,
    tmp_path: Path,
    define: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    words: str,
) -> None:
    path = str(define(RELATIONS.replace("statement", "statment")))
    texts = str(save(tmp_path, "texts.txt", TEXTS))
    name, *more = [word.replace("TOML", path) for word in command]
    inputs = {
        "export": [str(mini_checkpoint), "-o", str(tmp_path / "bundle")],
        "evaluate-task": [str(mini_bundle), "--gold", texts],
    }.get(name, [str(mini_bundle), texts])
    assert main([name, *inputs, *more]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert words in captured.err


def test_a_run_of_another_definition_of_the_task_is_not_continued(
    mini_bundle: Path, tmp_path: Path, define: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = str(save(tmp_path, "texts.txt", TEXTS * 20))
    output = tmp_path / "out.jsonl"

    def command() -> list[str]:
        return ["ask", str(mini_bundle), texts, "-o", str(output), "--batch-size", "2", "--task", str(path)]

    path = define(ANSWERS)
    with monkeypatch.context() as broken:
        calls = iter(range(2))

        def stopped(*_: object) -> None:
            if next(calls, None) is None:
                raise KeyboardInterrupt

        broken.setattr("biogpt_onnx.cli.task_rows._Runner.report", stopped)
        assert main(command()) == 130
    assert not output.exists()
    define(ANSWERS.replace("was done in", "was made with"))
    assert main(command()) == 2
    define(ANSWERS)
    assert main(command()) == 0
    assert len(output.read_text().splitlines()) == 40
