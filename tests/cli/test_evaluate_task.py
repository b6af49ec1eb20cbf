import json
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.cli import main

BC5CDR = {
    "1": {
        "title": "Seizures after cocaine",
        "abstract": "Cocaine caused seizures in two of nine patients. Diazepam prevented seizures.",
        "relations": [{"chemical": "D003042", "disease": "D012640"}],
        "chemical2id": {"cocaine": "D003042", "diazepam": "D003975"},
        "disease2id": {"seizures": "D012640"},
    },
    "2": {
        "title": "Lithium.",
        "abstract": "Lithium caused tremor.",
        "relations": [{"chemical": "D008094", "disease": "D014202"}],
        "chemical2id": {"lithium": "D008094"},
        "disease2id": {"tremor": "D014202"},
    },
}
PUBMEDQA = {
    str(number): {
        "QUESTION": "Does lithium cause tremor?",
        "CONTEXTS": ["Nine patients were given lithium.", f"{number} had tremor."],
        "LONG_ANSWER": "It does.",
        "final_decision": answer,
    }
    for number, answer in enumerate(["yes", "no", "yes", "maybe"])
}


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.json"
    path.write_text(json.dumps(BC5CDR), encoding="utf-8")
    return path


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.json"
    path.write_text(json.dumps(PUBMEDQA), encoding="utf-8")
    return path


def command(bundle: Path, gold: Path, *more: str) -> list[str]:
    return ["evaluate-task", str(bundle), "--gold", str(gold), *more]


def test_relations_are_scored_beside_co_occurrence(
    mini_bundle: Path, gold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(mini_bundle, gold, "--task", "bc5cdr")) == 0
    report = capsys.readouterr().out
    assert "co-occurrence in a sentence" in report
    assert "F1" in report
    assert "0 of 2 documents were too long" in report


def test_the_golds_entities_may_be_given_to_the_model_as_they_are_to_co_occurrence(
    mini_bundle: Path, gold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(mini_bundle, gold, "--task", "bc5cdr", "--given-entities", "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    # Every name is one that the gold knows.
    assert report["unknown"] == 0
    assert main(command(mini_bundle, gold, "--task", "bc5cdr", "--given-entities", "--free")) == 2
    assert "--given-entities is for bc5cdr" in capsys.readouterr().err


def test_a_bundle_beside_itself_differs_in_nothing(
    mini_bundle: Path, gold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(mini_bundle, gold, "--task", "bc5cdr", "--baseline", str(mini_bundle), "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    second: dict[str, Any] = report["standing"]["second"]
    assert second["differences"]["F1"]["value"] == 0
    assert report["reading"]["documents"] == 2


def test_answers_are_scored_beside_the_majority_and_calibration_is_drawn(
    mini_bundle: Path, questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "calibration.svg"
    assert main(command(mini_bundle, questions, "--task", "pubmedqa", "--plot", str(plot), "--batch-size", "3")) == 0
    report = capsys.readouterr().out
    assert "accuracy" in report
    assert "majority" in report
    assert plot.stat().st_size > 1000


def test_the_last_documents_can_be_taken_alone(
    mini_bundle: Path, questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(mini_bundle, questions, "--task", "pubmedqa", "--last", "2", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["reading"]["documents"] == 2


def test_figures_with_conclusions_say_that_they_are_not_those_of_the_task(
    mini_bundle: Path, questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_it: list[Any] = []
    without: list[Any] = []
    for found, more in ((without, []), (with_it, ["--with-conclusion"])):
        assert main(command(mini_bundle, questions, "--task", "pubmedqa", "--json", *more)) == 0
        found.append(json.loads(capsys.readouterr().out))
        assert main(command(mini_bundle, questions, "--task", "pubmedqa", *more)) == 0
        found.append(capsys.readouterr().out)
    assert with_it[0]["reading"]["with_conclusion"] == 4
    assert "with_conclusion" not in without[0]["reading"]
    assert "these figures are not comparable with those without conclusions" in with_it[1]
    assert "conclusion" not in without[1]
    # The model was given another prompt, not the same one under another name.
    assert with_it[0]["calibrations"] != without[0]["calibrations"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "--task"),
        (["--task", "hoc"], "soft prompt"),
        (["--task", "bc5cdr", "--plot", "x.svg"], "--plot"),
        (["--task", "bc5cdr", "--training", "x.json"], "--training"),
        (["--task", "pubmedqa", "--entities", "x.json"], "entities"),
        (["--task", "pubmedqa", "--annotated-only"], "annotated"),
        (
            ["--task", "bc5cdr", "--with-conclusion"],
            "--with-conclusion shows conclusions of abstracts, bc5cdr has none",
        ),
        (["--task", "bc5cdr", "--last", "0"], "--last"),
        (["--task", "bc5cdr", "--batch-size", "0"], "--batch-size"),
        (["--task", "bc5cdr", "--entities", "nowhere.json"], "nowhere.json"),
    ],
)
def test_bad_input_is_one_line(
    mini_bundle: Path, gold: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    assert main(command(mini_bundle, gold, *more)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert words in captured.err


def test_a_gold_file_that_is_something_else_is_one_line(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.json"
    other.write_bytes(b"\x00\x01")
    assert main(command(mini_bundle, other, "--task", "bc5cdr")) == 2
    assert capsys.readouterr().err.count("\n") == 1
