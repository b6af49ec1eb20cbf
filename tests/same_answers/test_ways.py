"""The fixed requests, alone and in batches, by library, command, server and corpus: the same tokens each time.

`expected.json` holds the answers of bundles made and asked on an x86-64 processor with AVX-512 and VNNI.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, corpus
from biogpt_onnx.cli import main
from biogpt_onnx.runtime.system.processor import describe_processor
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.settings import ServerSettings
from makers.asgi import ask
from makers.corpora import answer_run, write_json_lines
from makers.fixed_requests import REQUESTS, Request, answer_in_batch, answer_of_record, answers_of, kind_of
from makers.fixed_runs import documents_of, merged_answers, prepared

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text(encoding="utf-8"))
HAS_AVX512, HAS_VNNI, HAS_AMX = (
    name in str(describe_processor()["instruction_sets"]) for name in ("avx512f", "avx512_vnni", "amx_int8")
)
MOST_OTHER = 5
"""Requests to which a quantized bundle may have other answers on a processor of another kind."""
JOBS = {"bc5cdr": ("relations", "relations"), "pubmedqa": ("ask", "answers")}
"""The command and the address of each task."""
FIELDS = {"num_return_sequences": "n", "stop_strings": "stop", "min_new_tokens": "min_tokens"}
"""Fields of the server that are called otherwise than settings."""


@pytest.fixture(scope="module", params=["fp32", "int8", "int4", "int8-weights"])
def recipe(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def bundle(recipe: str, mini_by: Callable[[str], Path]) -> Path:
    return mini_by(recipe)


@pytest.fixture(scope="module")
def model(bundle: Path) -> Iterator[BioGPT]:
    with biogpt_onnx.load(bundle, mixed_passes=True) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def alone(model: BioGPT) -> Mapping[str, Any]:
    """The answers of the library, one after the other."""
    return answers_of(model)


def named(*kinds: str) -> dict[str, Request]:
    return {request["name"]: request for request in REQUESTS if kind_of(request) in kinds}


def of_kinds(answers: Mapping[str, Any], *kinds: str) -> dict[str, Any]:
    return {name: answers[name] for name in named(*kinds)}


def check_same(found: Mapping[str, Any], expected: Mapping[str, Any], recipe: str) -> None:
    """Checks that answers among others are those alone, but for one where the recipe promises less; none was found."""
    assert found.keys() == expected.keys()
    others = {name: (found[name], expected[name]) for name in found if found[name] != expected[name]}
    assert len(others) <= (HAS_AVX512 and recipe == "int8-weights"), others


def test_the_set_is_whole_and_small() -> None:
    names = [request["name"] for request in REQUESTS]
    assert len(set(names)) == len(names) <= 20
    assert all(answers.keys() == set(names) for answers in EXPECTED.values())


def test_alone(alone: Mapping[str, Any], recipe: str) -> None:
    others = [name for name, answer in alone.items() if answer != EXPECTED[recipe][name]]
    # The expected answers are of a processor with AMX. Products of integers are exact with VNNI, too.
    is_exact = recipe == "fp32" or HAS_AMX or (HAS_VNNI and recipe == "int8")
    assert len(others) <= (0 if is_exact else MOST_OTHER), others


def test_in_batches(model: BioGPT, alone: Mapping[str, Any], recipe: str) -> None:
    check_same({request["name"]: answer_in_batch(model, request) for request in REQUESTS}, alone, recipe)


def test_by_command(bundle: Path, alone: Mapping[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = {}
    for name, request in named("generate").items():
        assert main(["generate", str(bundle), request["prompt"], "--json", *options_of(request)]) == 0
        answer = json.loads(capsys.readouterr().out)
        found[name] = [{"tokens": each["token_ids"], "text": each["text"]} for each in answer["sequences"]]
    for task, (command, _) in JOBS.items():
        rows = write_json_lines(tmp_path / f"{task}.jsonl", list(documents_of(task).values()))
        assert main([command, str(bundle), str(rows), "--task", task]) == 0
        records = map(json.loads, capsys.readouterr().out.splitlines())
        found |= zip(documents_of(task), map(answer_of_record, records), strict=True)
    assert found == of_kinds(alone, "generate", "task")


def options_of(request: Request) -> list[str]:
    """The settings of a request as options of the command."""
    options = [word for text in request.get("allowed", ()) for word in ("--allowed", text)]
    for name, value in request["settings"].items():
        if name == "stop_strings":
            options += [word for text in value for word in ("--stop", text)]
        else:
            option = "--" + name.replace("_", "-")
            options += [option] if value is True else [option, str(value)]
    return options


def test_by_a_server_that_answers_all_at_once(model: BioGPT, alone: Mapping[str, Any], recipe: str) -> None:
    service = make_service(model, "mini", ServerSettings(max_rows=8, max_waiting=64))
    app = create_app(service)

    async def asked(request: Request) -> Any:
        path, content, read = posted(request)
        reply = await ask(app, "POST", path, {"model": "mini", **content})
        assert reply.status == 200, reply.json
        return read(reply.json)

    async def ask_all() -> list[Any]:
        return await asyncio.gather(*map(asked, REQUESTS))

    try:
        found = dict(zip(named("generate", "choose", "task"), asyncio.run(ask_all()), strict=True))
    finally:
        service.close()
    expected = {
        name: in_any_order(request, [each["text"] for each in alone[name]])
        for name, request in named("generate").items()
    }
    check_same(found, expected | of_kinds(alone, "choose", "task"), recipe)


def in_any_order(request: Request, texts: list[str]) -> list[str]:
    """The texts of samples sorted: the library gives the best first, the server the one that was drawn first."""
    return sorted(texts) if "do_sample" in request["settings"] else texts


def posted(request: Request) -> tuple[str, dict[str, Any], Callable[[Any], Any]]:
    """The address and body of a request, and what reads the answer to it."""
    if kind_of(request) == "task":
        body = {"task": request["task"], "documents": [request["document"]]}
        return f"/v1/tasks/{JOBS[request['task']][1]}", body, lambda found: answer_of_record(found["records"][0])
    if kind_of(request) == "choose":
        return "/v1/choices", {"prompt": request["prompt"], "choices": request["choices"]}, best_first
    settings = dict(request["settings"])
    # Drafts are a matter of speed, of which the server has none.
    settings.pop("prompt_lookup_num_tokens", None)
    fields = {FIELDS.get(name, name): value for name, value in settings.items()}
    fields["max_tokens"] = fields.pop("max_new_tokens", 64)
    if not fields.pop("do_sample", False) and "num_beams" not in fields:
        fields["temperature"] = 0
    if "allowed" in request:
        fields["allowed"] = request["allowed"]
    return (
        "/v1/completions",
        {"prompt": request["prompt"], **fields},
        lambda found: in_any_order(request, [each["text"] for each in found["choices"]]),
    )


def best_first(found: Any) -> list[str]:
    choices = found["results"][0]["choices"]
    return [each["text"] for each in sorted(choices, key=lambda each: -each["log_probability"])]


def test_by_a_corpus_run(model: BioGPT, alone: Mapping[str, Any], tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    for task in JOBS:
        run = prepared(task, tmp_path)
        answer_run(run, model)
        found |= merged_answers(run, task)
    assert found == of_kinds(alone, "task")


def test_by_a_corpus_run_of_two_processes(mini_by: Callable[[str], Path], tmp_path: Path) -> None:
    run = prepared("bc5cdr", tmp_path)
    assert corpus.work(run, mini_by("int8"), workers=2, threads=1).is_complete
    with biogpt_onnx.load(mini_by("int8")) as model:
        asked = [request for request in named("task").values() if request["task"] == "bc5cdr"]
        assert merged_answers(run, "bc5cdr") == answers_of(model, asked)
