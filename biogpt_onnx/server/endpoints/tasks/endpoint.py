"""The addresses of the jobs: documents in, the records out that the commands write for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from biogpt_onnx.files.answering import RowAnswering
from biogpt_onnx.files.records import Record, record_of
from biogpt_onnx.runtime.errors import CancelledError
from biogpt_onnx.runtime.results import Usage
from biogpt_onnx.server.endpoints.tasks.asked import Asked, read_asked
from biogpt_onnx.server.endpoints.tasks.cancelling import cancelled_by
from biogpt_onnx.server.endpoints.usage import usage_content
from biogpt_onnx.server.http.call import Call
from biogpt_onnx.server.http.endpoint import Handler
from biogpt_onnx.server.http.errors import ApiError
from biogpt_onnx.tasks import TaskResult


def job_endpoint(job: str) -> Handler:
    """Returns the function that answers requests for a job."""

    async def answer(call: Call) -> Mapping[str, object]:
        return await _answer(job, call)

    return answer


@dataclass
class _Found:
    """What came of a request's documents.

    Attributes:
        records: a record for each document.
        results: the results, without the documents that have none.
        unanswered: number of documents for which there was no time.
    """

    records: list[Record] = field(default_factory=list)
    results: list[TaskResult] = field(default_factory=list)
    unanswered: int = 0


async def _answer(job: str, call: Call) -> Mapping[str, object]:
    asked = read_asked(job, await call.fields(), call.service)
    call.outcome.num_sequences = len(asked.documents)
    with call.admitted(len(asked.documents)):
        found = await call.compute(lambda: _find(call, asked), keeps_parts=True)
    if found.unanswered == len(asked.documents):
        raise ApiError(503, f"no document was answered: {_too_late(call)}", code="timeout")
    _note(call, found)
    return {
        "object": "list",
        "task": asked.adjusted.task.name,
        "model": call.service.name,
        "records": found.records,
        "usage": usage_content(Usage.total(result.usage for result in found.results)),
    }


def _find(call: Call, asked: Asked) -> _Found:
    """Answers the documents, in a thread."""
    task, cancel, found = asked.adjusted, call.cancel, _Found()
    answering = RowAnswering(
        task.task,
        cancelled_by(call.service.model, cancel),
        asked.reading,
        task.completed,
        # Those of a request are queued together, so that no row is idle while the longest of a batch is answered.
        batch_size=max(len(asked.documents), call.service.settings.max_rows),
        free=task.free,
    )
    for row, result in answering.answers(asked.rows(), cancel):
        given: Any = result
        # What was being computed when the event was set was cut off.
        if row.document is not None and cancel.is_set():
            given, found.unanswered = CancelledError(_too_late(call)), found.unanswered + 1
        if isinstance(given, TaskResult):
            found.results.append(given)
        found.records.append(record_of(row, given))
    return found


def _note(call: Call, found: _Found) -> None:
    metrics, outcome = call.service.metrics, call.outcome
    for result in found.results:
        metrics.note_prompt(result.usage.prompt_tokens)
        outcome.prompt_tokens += result.usage.prompt_tokens
        outcome.new_tokens += result.usage.new_tokens
        # Labels are chosen, with nothing generated.
        reason = getattr(result, "finish_reason", None) or "chosen"
        metrics.note_answer(result.usage.new_tokens, reason)
        outcome.finish_reasons[reason] += 1
    failed = len(found.records) - len(found.results)
    if failed:
        outcome.finish_reasons["error"] += failed


def _too_late(call: Call) -> str:
    if not call.is_late:
        return "the server is shutting down: try again later"
    return (
        f"it was not answered within {call.service.settings.answer_seconds:g} seconds: send fewer or shorter documents"
    )
