"""Requests for tasks: which task is meant, bad fields, load, and clients that leave."""

import asyncio
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from starlette.types import ASGIApp

import biogpt_onnx
from biogpt_onnx import MemoryLimitError, tasks
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.server.app import create_app, make_service
from biogpt_onnx.server.service import Service
from biogpt_onnx.server.settings import ServerSettings
from biogpt_onnx.tasks import BC5CDR, HOC, PUBMEDQA, Document, RelationTask
from biogpt_onnx.tasks.registry import TASK_SPECS
from makers.asgi import Reply, ask

DOCUMENT = {"text": "Cisplatin caused renal failure."}


def post(app: ASGIApp, job: str, **fields: object) -> Reply:
    return asyncio.run(ask(app, "POST", f"/v1/tasks/{job}", {"documents": [DOCUMENT]} | fields))


@pytest.mark.parametrize(
    ("job", "fields", "words"),
    [
        ("relations", {}, "task is missing: give one of bc5cdr, kd-dti, ddi"),
        ("relations", {"task": "bc5cdrr"}, r"no such task \(did you mean 'bc5cdr'\?\)"),
        ("relations", {"task": "secret"}, "no such task: known are bc5cdr, kd-dti, ddi"),
        ("relations", {"task": "pubmedqa"}, "no task of relations: send it to /v1/tasks/answers"),
        ("relations", {"task": "hoc"}, "hoc, which is not offered: the bundle has a soft prompt of 9"),
        ("relations", {"task": 1}, "task must be a string"),
        ("relations", {"task": "\udc00"}, "half of a surrogate pair"),
        ("classifications", {"task": "hoc"}, "the model does no classifications"),
        ("relations", {"task": "bc5cdr", "model": "other"}, "no such model"),
        ("relations", {"task": "bc5cdr", "documents": None}, "documents must be a list of 1 to 8"),
        ("relations", {"task": "bc5cdr", "documents": []}, "documents must be a list of 1 to 8"),
        ("relations", {"task": "bc5cdr", "documents": DOCUMENT}, "documents must be a list"),
        ("relations", {"task": "bc5cdr", "documents": [DOCUMENT] * 10_000}, "documents must be a list of 1 to 8"),
        ("relations", {"task": "bc5cdr", "free": 1}, "free must be true or false"),
        ("relations", {"task": "bc5cdr", "free": True, "given_entities": True}, "does not go with given_entities"),
        ("relations", {"task": "bc5cdr", "entity_types": {"Chemical": "x"}}, "names types of given_entities"),
        ("relations", {"task": "bc5cdr", "entity_types": []}, "entity_types must be an object"),
        (
            "relations",
            {"task": "bc5cdr", "given_entities": True, "entity_types": {"Gene": "x"}},
            "'Gene' is not known here",
        ),
        (
            "relations",
            {"task": "bc5cdr", "given_entities": True, "entity_types": {"Disease": [" "]}},
            "holds an empty name",
        ),
        ("relations", {"task": "bc5cdr", "labels": ["a", "b"]}, "bc5cdr has but one"),
        ("relations", {"task": "bc5cdr", "min_score": 2}, "min_score must be a number from 0 to 1"),
        ("relations", {"task": "bc5cdr", "min_score": 10**400}, "min_score must be a number from 0 to 1"),
        ("relations", {"task": "bc5cdr", "min_score": "0.5"}, "min_score must be a number"),
        ("relations", {"task": "bc5cdr", "too_long": "drop"}, "too_long must be one of error, cut, windows"),
        ("relations", {"task": "bc5cdr", "window_tokens": 63}, "window_tokens must be a whole number of 64 or more"),
        ("relations", {"task": "bc5cdr", "max_source_tokens": 0}, "max_source_tokens must be a whole number of 1"),
        ("relations", {"task": "bc5cdr", "normalize_punctuation": "no"}, "normalize_punctuation must be true or"),
        ("relations", {"task": "bc5cdr", "question": "?"}, "'question' is not known here"),
        ("relations", {"task": "bc5cdr", "min_scor": 0.5}, "did you mean min_score"),
        ("answers", {"question": {}}, "question must be a string"),
        ("answers", {"labels": ["yes"]}, "labels must be at least two different texts"),
        ("answers", {"labels": ["yes", "yes "]}, "labels must be at least two different texts"),
        ("answers", {"labels": ["yes", ""]}, "labels must be at least two different texts"),
        ("answers", {"labels": "yes"}, "labels must be a list of 1 to 256"),
        ("answers", {"labels": ["x" * 1001, "y"]}, r"labels\[0\] must have at most 1000 characters"),
        ("answers", {"labels": ["x" * 999 + str(n) for n in range(9)]}, "labels must have at most 4000 characters"),
        ("descriptions", {"num_beams": 5}, "num_beams must be a whole number from 1 to 4"),
        ("descriptions", {"num_beams": 1.5}, "num_beams must be a whole number"),
        ("descriptions", {"max_new_tokens": 0}, "max_new_tokens must be a whole number of 1 or more"),
        ("descriptions", {"min_new_tokens": 9, "max_new_tokens": 3}, "min_new_tokens"),
    ],
)
def test_bad_requests_say_which_field(app: ASGIApp, job: str, fields: dict[str, Any], words: str) -> None:
    reply = post(app, job, **fields)
    assert reply.status in {400, 404}
    error = reply.json["error"]
    assert error["type"] == "invalid_request_error"
    assert re.search(words, error["message"]), error["message"]
    assert "secret" not in error["message"]


NESTED = f'{{"task": "bc5cdr", "documents": [{{"text": "x", "deep": {"[" * 1000}1{"]" * 1000}}}]}}'


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b"", {400}),
        (b"[]", {400}),
        (b'{"documents": NaN}', {400}),
        (b'{"documents": 1e999}', {400}),
        (b'{"documents": [}', {400}),
        (b'{"documents": [{"text": "\xff"}]}', {400}),
        (b'{"window_tokens": ' + b"9" * 5000 + b"}", {400}),
        (b"[" * 100_000, {400}),
        # Some versions of Python read such depths, and the document is answered: its other fields are nobody's.
        (NESTED.encode(), {200, 400}),
        (b'{"documents": ["' + b"x" * 1_000_000 + b'"]}', {413}),
    ],
)
def test_what_is_no_json_that_is_read_is_an_error_of_the_client(app: ASGIApp, body: bytes, statuses: set[int]) -> None:
    reply = asyncio.run(ask(app, "POST", "/v1/tasks/relations", body=body))
    assert reply.status in statuses
    assert ("error" in reply.json) == (reply.status != 200)


HOSTILE: tuple[Any, ...] = (None, True, -1, 10**400, 1.5, "", "\ud800", [], [[]], {}, {"text": 1}, "x" * 3000)


@pytest.mark.parametrize("name", ["id", "title", "text", "question", "entities", "conclusion", "context", "abstract"])
@pytest.mark.parametrize("given", [False, True])
def test_a_document_with_a_field_of_any_type_is_an_answer_or_an_error_of_its_own(
    make_app: Callable[..., ASGIApp], name: str, *, given: bool
) -> None:
    documents: list[Any] = [DOCUMENT | {"entities": ["Cisplatin"]} | {name: value} for value in HOSTILE]
    fields = {"given_entities": True} if given else {}
    reply = post(make_app(), "relations", task="bc5cdr", documents=documents, **fields)
    assert reply.status == 200
    records = reply.json["records"]
    assert len(records) == len(documents)
    for record in records:
        assert ("error" in record) != ("relations" in record)


def with_task(mini: BioGPT, task: str | None, rows: int = 9) -> BioGPT:
    """The embedded checkpoint as if it recorded a task."""
    architecture = replace(mini.manifest.architecture, soft_prompt_size=rows)
    manifest = replace(mini.manifest, task=task, architecture=architecture)
    return BioGPT(mini._backend, mini.tokenizer, manifest, name="mini", threads="one")


def test_the_bundles_own_task_need_not_be_named(mini: BioGPT) -> None:
    service = make_service(with_task(mini, "ddi"), "mini")
    try:
        app = create_app(service)
        assert list(service.tasks) == ["ddi"]
        assert post(app, "relations").json["task"] == "ddi"
        refused = post(app, "answers")
        assert (refused.status, refused.json["error"]["code"]) == (404, "task_not_offered")
        refused = post(app, "relations", task="bc5cdr")
        assert "fine-tuned for ddi, not for bc5cdr" in refused.json["error"]["message"]
    finally:
        service.close()


def test_a_task_of_which_only_one_is_offered_need_not_be_named(app: ASGIApp) -> None:
    assert post(app, "answers", question="Does it?").json["task"] == "pubmedqa"


def test_the_task_that_the_bundle_records_is_meant_beside_ones_of_ones_own(mini: BioGPT) -> None:
    mine = tasks.task_spec(replace(BC5CDR, name="mine", soft_prompt_size=None))
    offered = {"bc5cdr": TASK_SPECS["bc5cdr"], "mine": mine}
    service = make_service(with_task(mini, "bc5cdr"), "mini", tasks=offered)
    try:
        app = create_app(service)
        assert post(app, "relations").json["task"] == "bc5cdr"
        assert post(app, "relations", task="mine").json["task"] == "mine"
    finally:
        service.close()


def test_every_document_takes_a_place_and_a_full_server_refuses(service: Service, app: ASGIApp) -> None:
    count = service.settings.capacity - 1
    with service.admission.admit(count):
        refused = post(app, "relations", task="bc5cdr", documents=[DOCUMENT] * 2)
        assert (refused.status, refused.json["error"]["type"]) == (429, "rate_limit_error")
        assert int(refused.headers["retry-after"]) > 0
        # One that is read in windows takes one place.
        long = {"text": "Cisplatin caused renal failure. " * 100}
        read = post(app, "relations", task="bc5cdr", documents=[long], too_long="windows", window_tokens=128)
        assert "relations" in read.json["records"][0]
    assert service.admission.used == 0


class Leaving:
    """A client that leaves once the model has begun to answer it, and what the model then saw."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.finish_reasons: list[str] = []
        generate_ids = service.model.generate_ids

        def generate(*arguments: Any, **settings: Any) -> Any:
            assert self.loop is not None
            self.loop.call_soon_threadsafe(self.left.set)
            assert settings["cancel"].wait(30)
            found = generate_ids(*arguments, **settings)
            self.finish_reasons += [generation.finish_reason for generation in found]
            return found

        monkeypatch.setattr(service.model, "generate_ids", generate)

    async def ask(self, app: ASGIApp, content: object) -> Reply:
        self.loop = asyncio.get_running_loop()
        return await ask(app, "POST", "/v1/tasks/relations", content, leaves=self.left)


def test_a_client_that_leaves_ends_the_work_on_its_documents(
    service: Service, app: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        leaving = Leaving(service, patched)
        reply = asyncio.run(leaving.ask(app, {"task": "bc5cdr", "documents": [DOCUMENT] * 3}))
    assert set(leaving.finish_reasons) == {"cancelled"}
    assert (reply.status, reply.parts) == (0, [])
    assert service.admission.used == 0
    assert post(app, "relations", task="bc5cdr").status == 200


def test_documents_for_which_there_was_no_time_say_so_and_the_others_are_answered(
    make_app: Callable[..., ASGIApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(answer_seconds=2.0)
    answer = RelationTask.answer

    def answer_late(task: RelationTask, model: BioGPT, prepared: Any, *, free: bool = False) -> Any:
        if prepared[0].document.id == "late":
            assert model._cancel.wait(30)  # type: ignore[attr-defined]
        return answer(task, model, prepared, free=free)

    monkeypatch.setattr(RelationTask, "answer", answer_late)
    late = DOCUMENT | {"id": "late"}
    reply = post(app, "relations", task="bc5cdr", documents=[late, DOCUMENT])
    assert reply.status == 200
    refused, done = reply.json["records"]
    assert "not answered within 2 seconds" in refused["error"]
    assert "relations" in done
    reply = post(app, "relations", task="bc5cdr", documents=[late])
    assert (reply.status, reply.json["error"]["code"]) == (503, "timeout")


def test_documents_that_the_end_of_the_server_cuts_off_can_be_sent_again(
    mini: BioGPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the second signal to end, or once the time to finish is over."""
    service = make_service(mini, "mini", ServerSettings())
    app, answer = create_app(service), RelationTask.answer

    def answer_while_it_ends(task: RelationTask, model: BioGPT, prepared: Any, *, free: bool = False) -> Any:
        if prepared[0].document.id == "last":
            service.admission.is_draining = True
            service.cancel_all()
            assert model._cancel.wait(30)  # type: ignore[attr-defined]
        return answer(task, model, prepared, free=free)

    monkeypatch.setattr(RelationTask, "answer", answer_while_it_ends)
    last = DOCUMENT | {"id": "last"}
    reply = post(app, "relations", task="bc5cdr", documents=[last])
    service.close()
    assert (reply.status, reply.json["error"]["code"]) == (503, "draining")
    assert "shutting down" in reply.json["error"]["message"]
    assert int(reply.headers["retry-after"]) > 0
    assert service.admission.used == 0


def test_a_request_puts_no_more_to_work_than_keeps_the_rows_busy(
    make_app: Callable[..., ASGIApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(max_rows=2, max_prompts=12)
    lock, at_work, counts, batches = threading.Lock(), set[str](), list[int](), list[int]()
    answer = RelationTask.answer

    def counted(task: RelationTask, model: BioGPT, prepared: Any, *, free: bool = False) -> Any:
        name = str(prepared[0].document.id)
        with lock:
            at_work.add(name)
            counts.append(len(at_work))
            batches.append(len(prepared))
        found = answer(task, model, prepared, free=free)
        with lock:
            at_work.discard(name)
        return found

    monkeypatch.setattr(RelationTask, "answer", counted)
    documents = [DOCUMENT | {"id": str(number)} for number in range(12)]
    records = post(app, "relations", task="bc5cdr", documents=documents).json["records"]
    assert [record["id"] for record in records] == [document["id"] for document in documents]
    assert len(counts) == 12
    assert max(counts) <= 4
    batches.clear()
    # A document alone has all rows for its windows, one among others has its own.
    long = {"text": "Cisplatin caused renal failure. " * 40}
    fields = {"task": "bc5cdr", "too_long": "windows", "window_tokens": 128, "max_source_tokens": 100}
    assert post(app, "relations", documents=[long], **fields).json["records"][0]["read"] > 1000
    assert max(batches) == 2
    batches.clear()
    post(app, "relations", documents=[long, long], **fields)
    assert len(batches) > 2
    assert set(batches) == {1}


def test_a_fault_of_the_server_ends_the_other_documents(
    service: Service, app: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_task: RelationTask, model: BioGPT, prepared: Any, *, free: bool = False) -> Any:  # noqa: ARG001
        if prepared[0].document.id == "fault":
            raise ZeroDivisionError("Cisplatin")
        assert model._cancel.wait(30)  # type: ignore[attr-defined]
        return model.choose_ids([prepared[0].prompt_ids], ["a", "b"])

    monkeypatch.setattr(RelationTask, "answer", fail)
    reply = post(app, "relations", task="bc5cdr", documents=[DOCUMENT, DOCUMENT | {"id": "fault"}])
    assert (reply.status, reply.json["error"]["code"]) == (500, "internal")
    assert "Cisplatin" not in reply.json["error"]["message"]
    assert service.admission.used == 0


def test_documents_for_which_there_was_no_memory_say_so_and_none_at_all_is_a_server_to_try_again(
    app: ASGIApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = RelationTask.answer

    def scarce(task: RelationTask, model: BioGPT, prepared: Any, *, free: bool = False) -> object:
        if any("aspirin" in one.source.text for one in prepared):
            raise MemoryLimitError("a cache of 4711 tokens does not fit")
        return answer(task, model, prepared, free=free)

    monkeypatch.setattr(RelationTask, "answer", scarce)
    lacking = {"text": "Aspirin caused nausea."}
    reply = post(app, "relations", task="bc5cdr", documents=[DOCUMENT, lacking])
    answered, refused = reply.json["records"]
    assert "relations" in answered
    assert refused["error"] == "the server's memory is full: try again later, or ask for less"
    reply = post(app, "relations", task="bc5cdr", documents=[lacking, lacking])
    assert (reply.status, reply.json["error"]["code"]) == (503, "memory")
    assert int(reply.headers["retry-after"]) > 0


def test_results_are_the_librarys_own_while_others_ask(service: Service, app: ASGIApp, mini: BioGPT) -> None:
    texts = [
        "Cisplatin caused renal failure in two patients.",
        "Haloperidol-induced dystonia was seen after one dose.",
        "Nine rats were given caffeine and had tachycardia and hypertension.",
    ]
    question = "Does cisplatin harm kidneys?"
    relations = [result.to_dict() for result in tasks.run(BC5CDR, mini, texts)]
    answers = [result.to_dict() for result in tasks.run(PUBMEDQA, mini, [Document(texts[0], question=question)])]

    def ask_for(job: str, **fields: object) -> list[Any]:
        records: list[Any] = post(app, job, **fields).json["records"]
        return [without_place(record) for record in records]

    with ThreadPoolExecutor(10) as threads:
        others = [threads.submit(service.model.generate, f"Rat {number}", max_new_tokens=40) for number in range(8)]
        found = threads.submit(ask_for, "relations", task="bc5cdr", documents=[{"text": text} for text in texts])
        found_answers = threads.submit(ask_for, "answers", question=question, documents=[{"text": texts[0]}])
        assert found.result() == relations
        assert found_answers.result() == answers
    for number, other in enumerate(others):
        assert other.result().token_ids == mini.generate(f"Rat {number}", max_new_tokens=40).token_ids


def without_place(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in {"line", "id"}}


def test_what_requests_took_is_measured(mini: biogpt_onnx.BioGPT) -> None:
    service = make_service(mini, "mini", ServerSettings(max_rows=2))
    try:
        content = post(create_app(service), "relations", task="bc5cdr", documents=[DOCUMENT, {"text": ""}]).json
        text = service.metrics.text().decode()
    finally:
        service.close()
    usage = content["usage"]
    assert f'biogpt_prompt_tokens_total{{model_name="mini"}} {usage["prompt_tokens"]}.0' in text
    assert f'biogpt_generation_tokens_total{{model_name="mini"}} {usage["completion_tokens"]}.0' in text
    assert 'biogpt_http_requests_total{handler="/v1/tasks/relations",method="POST",status="200"} 1.0' in text
    assert "renal" not in text


def test_the_published_task_that_needs_another_model_is_not_offered(service: Service) -> None:
    assert HOC.name not in service.tasks
