"""The records over HTTP are those that the commands write for the same documents."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from makers.asgi import Reply, ask
from starlette.types import ASGIApp

import biogpt_onnx
from biogpt_onnx.cli import main
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.endpoints.tasks.offered import offered_tasks
from biogpt_onnx.server.settings import ServerSettings

Written = Callable[[str, list[Any], list[str]], list[Any]]

TRIAL = """
kind = "classification"
name = "trial"
sentence = "this study is {label}."
labels = ["a trial", "a case report", "a review"]
prompt = "{title} {text}"
"""

DOCUMENTS: list[Any] = [
    {"id": "1", "title": "Lithium and tremor.", "text": "Lithium caused tremor in two of nine patients."},
    {"id": 7, "abstract": "Fatal renal failure was seen after high doses of cisplatin in a child with leukemia."},
    {"id": "empty", "text": "  "},
    {"title": "No text"},
    "no object",
    {"text": ["a", "list"]},
    {"id": "greek", "text": "α‐tocopherol prevented cocaine-induced seizures.", "unknown": {"deep": [1, 2]}},
    {"id": "half", "text": "half \ud800 of a character"},
]
LONG = [{"id": "long", "text": "Cisplatin caused renal failure in nine of twelve rats. " * 60}]
NAMED: list[Any] = [
    {
        "id": "named",
        "text": "Cisplatin caused renal failure and seizures.",
        "entities": [
            {"text": "Cisplatin", "type": "Chemical", "span": [0, 9], "concept": "MESH:D002945"},
            {"text": "renal failure", "type": "T047"},
            "seizures",
        ],
    },
    {"id": "none", "text": "Cisplatin caused renal failure."},
    {"id": "elsewhere", "text": "Nothing.", "entities": [{"text": "Aspirin", "type": "Chemical", "span": [0, 99]}]},
    {"id": "half", "text": "Nothing.", "entities": ["half \udc00 of a character"]},
    {"id": "far", "text": "Nothing.", "entities": [{"text": "x", "span": [10**30, 10**40]}]},
    {"id": "kinds", "text": "Nothing.", "entities": [{"text": "x", "type": ["y"]}, 1, None]},
]
QUESTIONS: list[Any] = [
    {"id": 1, "question": "Does cisplatin harm kidneys?", "context": "Cisplatin caused renal failure in nine rats."},
    {"id": 2, "context": {"contexts": ["Forty patients exercised.", "Pressure fell."]}, "long_answer": "It does."},
    {"id": 3, "text": "Pressure fell.", "conclusion": "It falls.", "question": ""},
]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that defines a task of one's own."""
    path = tmp_path_factory.mktemp("tasks") / "trial.toml"
    path.write_text(TRIAL, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def app(mini: biogpt_onnx.BioGPT, trial: Path) -> Iterator[ASGIApp]:
    """A server of the embedded checkpoint that offers the task of one's own, too."""
    service = make_service(mini, "mini", ServerSettings(max_rows=4), offered_tasks(mini.manifest, [trial]))
    yield create_app(service)
    service.close()


def post(app: ASGIApp, job: str, content: object) -> Reply:
    return asyncio.run(ask(app, "POST", f"/v1/tasks/{job}", content))


@pytest.fixture
def written(mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Written:
    """Returns the records that a command writes for documents."""

    def write(command: str, documents: list[Any], options: list[str]) -> list[Any]:
        file = tmp_path / "documents.jsonl"
        file.write_text("".join(f"{json.dumps(document)}\n" for document in documents), encoding="utf-8")
        assert main([command, str(mini_bundle), str(file), *options]) in {0, 1}
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return write


@pytest.mark.parametrize(
    ("job", "command", "documents", "fields", "options"),
    [
        ("relations", "relations", DOCUMENTS, {"task": "bc5cdr"}, ["--task", "bc5cdr"]),
        ("relations", "relations", DOCUMENTS[:2], {"task": "kd-dti"}, ["--task", "kd-dti"]),
        (
            "relations",
            "relations",
            NAMED,
            {"task": "bc5cdr", "given_entities": True, "entity_types": {"Disease": ["T047"]}},
            ["--task", "bc5cdr", "--given-entities", "--entity-type", "Disease=T047"],
        ),
        (
            "relations",
            "relations",
            [*DOCUMENTS[:2], *NAMED[:1]],
            {"task": "bc5cdr", "free": True, "min_score": 0.01, "allow_self_relations": True},
            ["--task", "bc5cdr", "--free", "--min-score", "0.01", "--allow-self-relations"],
        ),
        ("relations", "relations", LONG, {"task": "bc5cdr"}, ["--task", "bc5cdr"]),
        (
            "relations",
            "relations",
            LONG,
            {"task": "bc5cdr", "too_long": "windows", "window_tokens": 128},
            ["--task", "bc5cdr", "--too-long", "windows", "--window-tokens", "128"],
        ),
        (
            "relations",
            "relations",
            [*LONG, DOCUMENTS[6]],
            {"task": "ddi", "too_long": "cut", "max_source_tokens": 60, "normalize_punctuation": True},
            ["--task", "ddi", "--too-long", "cut", "--max-source-tokens", "60", "--normalize-punctuation"],
        ),
        ("answers", "ask", QUESTIONS, {}, []),
        ("answers", "ask", QUESTIONS, {"question": "Does it?"}, ["--question", "Does it?"]),
        (
            "answers",
            "ask",
            QUESTIONS,
            {"with_conclusion": True, "question": "Does it?", "min_score": 0.9},
            ["--with-conclusion", "--question", "Does it?", "--min-score", "0.9"],
        ),
        ("answers", "ask", QUESTIONS, {"free": True, "question": "Is it?"}, ["--free", "--question", "Is it?"]),
        ("classifications", "classify", DOCUMENTS, {"task": "trial"}, ["--task", "TRIAL"]),
        ("classifications", "classify", DOCUMENTS[:2], {"min_score": 0.5}, ["--task", "TRIAL", "--min-score", "0.5"]),
        (
            "classifications",
            "classify",
            DOCUMENTS[:2],
            {"free": True, "min_score": 0.5},
            ["--task", "TRIAL", "--free", "--min-score", "0.5"],
        ),
        (
            "descriptions",
            "describe",
            [{"id": "a", "term": "Janus kinase 3"}, {"id": "b", "text": ""}],
            {"task": "description", "num_beams": 2, "min_new_tokens": 3, "max_new_tokens": 12},
            ["--task", "description", "--num-beams", "2", "--min-new-tokens", "3", "--max-new-tokens", "12"],
        ),
    ],
)
def test_records_are_those_of_the_command(  # noqa: PLR0913, PLR0917 -- fixtures
    app: ASGIApp,
    written: Written,
    trial: Path,
    job: str,
    command: str,
    documents: list[Any],
    fields: dict[str, Any],
    options: list[str],
) -> None:
    options = [str(trial) if option == "TRIAL" else option for option in options]
    reply = post(app, job, {"documents": documents, **fields})
    assert reply.status == 200, reply.body
    assert reply.json["records"] == written(command, documents, options)
    assert [record["line"] for record in reply.json["records"]] == list(range(1, len(documents) + 1))


def test_labels_of_ones_own_are_those_of_the_commands_file(app: ASGIApp, written: Written, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("certainly\nhardly\n", encoding="utf-8")
    fields = {"question": "Is it?", "labels": ["certainly", "hardly"]}
    reply = post(app, "answers", {"documents": QUESTIONS, **fields})
    options = ["--question", "Is it?", "--labels", str(tmp_path / "labels.txt")]
    assert reply.json["records"] == written("ask", QUESTIONS, options)
    assert set(reply.json["records"][0]["probabilities"]) == {"certainly", "hardly"}


def test_a_bad_document_has_an_error_and_the_others_are_answered(app: ASGIApp) -> None:
    records = post(app, "relations", {"task": "bc5cdr", "documents": DOCUMENTS}).json["records"]
    assert [index for index, record in enumerate(records) if "error" in record] == [2, 3, 4, 5, 7]
    assert "the text is empty" in records[2]["error"]
    assert "has no field text" in records[3]["error"]
    assert "no object" in records[4]["error"]
    assert records[1]["id"] == "7"


def test_tokens_are_counted_over_all_documents(app: ASGIApp) -> None:
    content = post(app, "relations", {"task": "bc5cdr", "documents": DOCUMENTS}).json
    usages = [record["usage"] for record in content["records"] if "usage" in record]
    assert len(usages) == 3
    prompt = sum(usage["prompt_tokens"] for usage in usages)
    new = sum(usage["new_tokens"] for usage in usages)
    assert content["usage"] == {"prompt_tokens": prompt, "completion_tokens": new, "total_tokens": prompt + new}
    assert (content["object"], content["task"], content["model"]) == ("list", "bc5cdr", "mini")
