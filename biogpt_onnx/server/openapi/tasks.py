"""The description of the addresses of tasks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from biogpt_onnx.server.endpoints.tasks.settings import MAX_TYPE_NAMES
from biogpt_onnx.server.openapi import records, schemas
from biogpt_onnx.server.openapi.components import MODEL_FIELD
from biogpt_onnx.server.openapi.operations import Operation
from biogpt_onnx.server.openapi.schemas import Schema, flag, many, number, one_of, text, whole
from biogpt_onnx.server.settings import MAX_CHOICE_LENGTH, MAX_CHOICES, MAX_CHOICES_LENGTH, ServerSettings
from biogpt_onnx.tasks.prompts.building import LEAST_WINDOW, TooLong

_TOKENS = {"prompt_tokens": 15, "new_tokens": 10, "dropped_tokens": 0}
_PLACE = {"line": 1, "id": "1"}
_SENTENCE = {"id": "1", "text": "Cisplatin caused renal failure."}


@dataclass(frozen=True)
class _Job:
    """What is told of a job.

    Attributes:
        summary: what it does.
        record: returns the schema of its records.
        settings: its settings beside those of all jobs.
        request_example: fields of a request beside its documents.
        record_example: a record.
        task_example: name of a task.
        has_question: True if something is asked of its documents.
        has_entities: True if its documents may name entities.
    """

    summary: str
    record: Callable[[], Schema]
    record_example: Schema
    task_example: str
    settings: Mapping[str, Schema] = field(default_factory=dict)
    request_example: Schema = field(default_factory=dict)
    has_question: bool = False
    has_entities: bool = False


def job_operation(job: str, settings: ServerSettings, names: Sequence[str], default: str | None) -> Operation:
    """Returns the operation of a job.

    Args:
        job: name of the job.
        settings: bounds of the server.
        names: names of its tasks that are offered.
        default: name of the task that is meant where a request names none; None if it must.
    """
    told = _jobs(settings)[job]
    task = default or next(iter(names), told.task_example)
    named = {"task": one_of("name of the task", list(names)) if names else text("name of the task")}
    is_needed = len(names) > 1 and default is None
    document = records.document_schema(with_question=told.has_question, with_entities=told.has_entities)
    documents = many(document, "the documents", least=1, most=settings.max_prompts)
    return Operation(
        method="post",
        name=job,
        summary=f"{told.summary} The records are those that the command writes; one may be an error.",
        request=schemas.request(
            {"documents": documents} | (named if is_needed else {}),
            _common() | dict(told.settings) | ({} if is_needed else named),
        ),
        request_example={"task": task, "documents": [_SENTENCE]} | told.request_example,
        answers=schemas.answer(
            {
                "object": one_of("what this is", ["list"]),
                "task": text("name of the task"),
                "model": text("name of the model"),
                "records": many(told.record(), "a record for each document, in order"),
                "usage": schemas.named("Usage"),
            }
        ),
        example={
            "object": "list",
            "task": task,
            "model": "biogpt",
            "records": [_PLACE | told.record_example | {"usage": _TOKENS}],
            "usage": {"prompt_tokens": 15, "completion_tokens": 10, "total_tokens": 25},
        },
        computes=True,
        errors={404: "there is no such model, or the model does nothing of the kind"},
    )


def list_operation() -> Operation:
    """Returns the operation that lists the tasks."""
    task = schemas.answer(
        {
            "id": text("name of the task"),
            "object": one_of("what this is", ["task"]),
            "title": text("name for people"),
            "kind": text("kind of the task"),
            "address": text("where it is asked for"),
            "labels": many({"type": "string"}, "the labels that there are"),
            "entity_types": many({"type": "string"}, "types of a relation's entities, the first's first"),
            "needs_question": flag("each document needs a question"),
            "takes_entities": flag("documents may name their entities"),
            "fine_tuned_for": flag("the model was fine-tuned for this very task"),
        }
    )
    return Operation(
        method="get",
        name="list_tasks",
        summary="Lists the tasks that are offered.",
        answers=schemas.answer({"object": one_of("what this is", ["list"]), "data": many(task, "the tasks")}),
        example={
            "object": "list",
            "data": [
                {
                    "id": "pubmedqa",
                    "object": "task",
                    "title": "PubMedQA",
                    "kind": "question answering",
                    "address": "/v1/tasks/answers",
                    "labels": ["yes", "no", "maybe"],
                    "entity_types": [],
                    "needs_question": True,
                    "takes_entities": False,
                    "fine_tuned_for": True,
                }
            ],
        },
    )


def _common() -> dict[str, Schema]:
    return {
        "model": MODEL_FIELD,
        "free": flag("let the model generate any text"),
        "too_long": one_of("what becomes of documents that are too long (default error)", get_args(TooLong)),
        "window_tokens": whole("most tokens of a window's prompt", LEAST_WINDOW),
        "max_source_tokens": whole("a document with more tokens is too long", 1),
        "normalize_punctuation": flag("read typographic punctuation as ASCII"),
    }


def _labelled(what: str) -> dict[str, Schema]:
    label = text("a label", longest=MAX_CHOICE_LENGTH) | {"pattern": r"\S"}
    return {
        "min_score": number(f"leave out {what} less probable than this", 0, 1),
        "labels": many(
            label,
            f"labels instead of the task's own, of at most {MAX_CHOICES_LENGTH} characters together",
            least=2,
            most=MAX_CHOICES,
        )
        | {"uniqueItems": True},
    }


def _relation_settings() -> dict[str, Schema]:
    name = text("another name of the type", longest=MAX_CHOICE_LENGTH)
    names = schemas.either("another name, or several", name, many(name, "several", least=1, most=MAX_TYPE_NAMES))
    return {
        "given_entities": flag("make relations of the entities that documents name alone"),
        "entity_types": {
            "type": "object",
            "description": "other names of the task's entity types, by the type",
            "additionalProperties": schemas.or_null(names),
        },
        "allow_self_relations": flag("keep relations of an entity with itself or with a part of itself"),
    }


def _jobs(settings: ServerSettings) -> Mapping[str, _Job]:
    return {
        "relations": _Job(
            "Extracts relations.",
            records.relations_record,
            {
                "relations": [
                    {
                        "head": "Cisplatin",
                        "relation": "CID",
                        "tail": "renal failure",
                        "head_span": [0, 9],
                        "tail_span": [17, 30],
                        "score": -0.25,
                        "head_concept": None,
                        "tail_concept": None,
                        "in_source": True,
                    }
                ],
                "unparsed": [],
                "text": "the relation between cisplatin and renal failure exists.",
                "read": 31,
                "complete": True,
                "finish_reason": "eos",
            },
            "bc5cdr",
            settings=_labelled("relations") | _relation_settings(),
            has_entities=True,
        ),
        "answers": _Job(
            "Answers questions about texts.",
            records.answers_record,
            {
                "label": "yes",
                "probabilities": {"yes": 0.9, "no": 0.0625, "maybe": 0.0375},
                "score": -0.125,
                "text": "the answer to the question given the context is yes.",
                "read": 31,
                "finish_reason": None,
            },
            "pubmedqa",
            settings=_labelled("answers")
            | {
                "question": text("what is asked about documents without a question"),
                "with_conclusion": flag("show the model each document's conclusion, too"),
            },
            request_example={"question": "Does cisplatin harm kidneys?"},
            has_question=True,
        ),
        "classifications": _Job(
            "Classifies documents.",
            records.classifications_record,
            {
                "labels": ["resisting cell death"],
                "probabilities": {"resisting cell death": 0.75, "empty": 0.25},
                "unparsed": [],
                "text": "the type of this document is resisting cell death.",
                "read": 31,
                "finish_reason": None,
            },
            "hoc",
            settings=_labelled("labels"),
        ),
        "descriptions": _Job(
            "Describes terms, with nothing that keeps the text to the truth.",
            records.descriptions_record,
            {"text": "Aspirin is an inhibitor.", "score": -1.5, "complete": True, "finish_reason": "eos"},
            "description",
            settings={
                "num_beams": whole("beams", 1, settings.max_rows),
                "min_new_tokens": whole("tokens before which a text does not end"),
                "max_new_tokens": whole("most tokens of a text", 1),
            },
            request_example={"min_new_tokens": 1, "max_new_tokens": 8},
        ),
    }
