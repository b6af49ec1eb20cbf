"""Which tasks a server offers, and how it lists them."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from makers.asgi import ask

import biogpt_onnx
from biogpt_onnx import ConfigError
from biogpt_onnx.runtime.bundle import ClassificationHead, Manifest
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.endpoints.tasks.offered import offered_tasks
from biogpt_onnx.tasks.registry import TASK_SPECS

TRIAL = """
kind = "classification"
name = "{name}"
sentence = "this study is {{label}}."
labels = ["a trial", "a review"]
"""
WithTask = Callable[..., Manifest]


@pytest.fixture
def manifest(mini: biogpt_onnx.BioGPT) -> WithTask:
    """Returns the manifest of a bundle with a task, or rows of soft prompt."""

    def make(task: str | None = None, rows: int = 9) -> Manifest:
        return replace(
            mini.manifest, task=task, architecture=replace(mini.manifest.architecture, soft_prompt_size=rows)
        )

    return make


def definition(folder: Path, name: str, file: str = "own.toml") -> Path:
    path = folder / file
    path.write_text(TRIAL.format(name=name), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("task", "rows", "offered"),
    [
        ("pubmedqa", 9, ["pubmedqa"]),
        ("one-of-somebody", 9, []),
        (None, 9, ["bc5cdr", "kd-dti", "ddi", "pubmedqa", "description"]),
        (None, 1, ["hoc", "description"]),
        (None, 0, ["description"]),
    ],
)
def test_built_in_tasks_are_offered_that_the_bundle_can_do(
    manifest: WithTask, task: str | None, rows: int, offered: list[str]
) -> None:
    assert list(offered_tasks(manifest(task, rows))) == offered


def test_given_tasks_are_offered_beside_the_built_in_ones(manifest: WithTask, tmp_path: Path) -> None:
    tasks = offered_tasks(manifest(None, 1), [definition(tmp_path, "trial"), "hoc"])
    assert list(tasks) == ["hoc", "description", "trial"]
    assert tasks["trial"].labels == ("a trial", "a review")


def test_a_given_task_takes_the_place_of_the_built_in_one_of_its_name(manifest: WithTask, tmp_path: Path) -> None:
    tasks = offered_tasks(manifest(None, 1), [definition(tmp_path, "hoc")])
    assert tasks["hoc"].labels == ("a trial", "a review")
    assert tasks["hoc"].title == TASK_SPECS["hoc"].title


def test_two_given_tasks_of_one_name_are_refused(manifest: WithTask, tmp_path: Path) -> None:
    given = [definition(tmp_path, "trial"), definition(tmp_path, "trial", "other.toml")]
    with pytest.raises(ConfigError, match="two of the given tasks have the name trial"):
        offered_tasks(manifest(), given)


@pytest.mark.parametrize(
    ("given", "words"),
    [("hoc", "soft prompt of 9, hoc is trained with one of 1"), ("bc5cd", r"did you mean 'bc5cdr'\?")],
)
def test_a_given_task_that_cannot_be_done_is_refused(manifest: WithTask, given: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        offered_tasks(manifest(), [given])


@pytest.mark.parametrize(
    ("kind", "command"), [("sequence-classification", "classify"), ("token-classification", "tag")]
)
def test_a_bundle_that_cannot_generate_is_refused(manifest: WithTask, kind: Any, command: str) -> None:
    head = ClassificationHead(kind, ("a", "b"))
    with pytest.raises(ConfigError, match=rf"a {kind} head and generates no text.*use the command {command}"):
        offered_tasks(replace(manifest(), head=head))


def test_tasks_are_listed_with_what_their_documents_hold(mini: biogpt_onnx.BioGPT, tmp_path: Path) -> None:
    service = make_service(mini, "mini", tasks=offered_tasks(mini.manifest, [definition(tmp_path, "trial")]))
    try:
        app = create_app(service)
        listed = asyncio.run(ask(app, "GET", "/v1/tasks")).json
        models = asyncio.run(ask(app, "GET", "/v1/models")).json
    finally:
        service.close()
    assert listed["object"] == "list"
    by_name = {task["id"]: task for task in listed["data"]}
    assert sorted(by_name) == models["data"][0]["tasks"]
    assert by_name["bc5cdr"] == {
        "id": "bc5cdr",
        "object": "task",
        "title": "BC5CDR",
        "kind": "relation extraction",
        "address": "/v1/tasks/relations",
        "labels": [],
        "entity_types": ["Chemical", "Disease"],
        "needs_question": False,
        "takes_entities": True,
        "fine_tuned_for": False,
    }
    assert by_name["pubmedqa"]["needs_question"]
    assert by_name["pubmedqa"]["labels"] == ["yes", "no", "maybe"]
    assert by_name["trial"]["address"] == "/v1/tasks/classifications"
    assert by_name["description"]["address"] == "/v1/tasks/descriptions"
    for task in listed["data"]:
        reply = asyncio.run(ask(app, "POST", task["address"], {"task": task["id"], "documents": []}))
        assert reply.json["error"]["param"] == "documents"
