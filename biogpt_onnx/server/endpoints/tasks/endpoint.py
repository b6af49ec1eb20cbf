"""The addresses of the jobs: documents in, the records out that the commands write for them."""

import asyncio
from collections.abc import Mapping, Sequence

from biogpt_onnx.files.answering import RowAnswering
from biogpt_onnx.files.records import Record, record_of
from biogpt_onnx.files.rows import Row
from biogpt_onnx.runtime.errors import CancelledError, MemoryLimitError
from biogpt_onnx.runtime.results import Usage
from biogpt_onnx.server.endpoints.tasks.asked import Asked, read_asked
from biogpt_onnx.server.endpoints.tasks.cancelling import cancelled_by
from biogpt_onnx.server.endpoints.usage import usage_content
from biogpt_onnx.server.http.call import Call
from biogpt_onnx.server.http.endpoint import Handler
from biogpt_onnx.server.http.errors import MEMORY_IS_FULL, ApiError
from biogpt_onnx.tasks import TaskResult


def job_endpoint(job: str) -> Handler:
    """Returns the function that answers requests for a job."""

    async def answer(call: Call) -> Mapping[str, object]:
        return await _answer(job, call)

    return answer


async def _answer(job: str, call: Call) -> Mapping[str, object]:
    asked = read_asked(job, await call.fields(), call.service)
    call.outcome.num_sequences = len(asked.documents)
    with call.admitted(len(asked.documents)):
        rows = await call.compute(asked.rows)
        answered = await _answer_rows(call, asked, rows)
    if all(isinstance(result, CancelledError) for _, result in answered):
        call.service.admission.check_open()
        raise ApiError(503, f"no document was answered: {_too_late(call)}", code="timeout")
    lacking = [result for _, result in answered if isinstance(result, MemoryError)]
    if lacking and len(lacking) == len(answered):
        raise lacking[0]
    results = [result for _, result in answered if isinstance(result, TaskResult)]
    _note(call, results, len(rows))
    return {
        "object": "list",
        "task": asked.adjusted.task.name,
        "model": call.service.name,
        "records": [_record(call, row, result) for row, result in answered],
        "usage": usage_content(Usage.total(result.usage for result in results)),
    }


async def _answer_rows(call: Call, asked: Asked, rows: Sequence[Row]) -> list[tuple[Row, object]]:
    """Answers documents, each in a thread of its own: it takes and leaves its row of the model by itself.

    A few are prepared while as many as there are rows are answered; more would only make other requests wait.
    """
    task, max_rows = asked.adjusted, call.service.settings.max_rows
    model = cancelled_by(call.service.model, call.cancel)
    # The windows of a document are answered together as far as its request has rows for them.
    batch_size = max(1, max_rows // len(rows))
    turns = asyncio.Semaphore(2 * max_rows)

    def answer(row: Row) -> tuple[Row, object]:
        try:
            answering = RowAnswering(
                task.task, model, asked.reading, task.completed, batch_size=batch_size, free=task.free
            )
            return next(answering.answers([row], call.cancel))
        except CancelledError as error:
            return row, error
        except BaseException:
            # The request fails, so that nobody waits for its other documents.
            call.cancel.set()
            raise

    async def answered(row: Row) -> tuple[Row, object]:
        async with turns:
            return await call.compute(lambda: answer(row), keeps_parts=True)

    found = await asyncio.gather(*map(answered, rows), return_exceptions=True)
    errors = [each for each in found if isinstance(each, BaseException)]
    if errors:
        raise errors[0]
    return [each for each in found if not isinstance(each, BaseException)]


def _record(call: Call, row: Row, result: object) -> Record:
    if isinstance(result, CancelledError):
        return record_of(row, CancelledError(_too_late(call)))
    if isinstance(result, MemoryError):
        return record_of(row, MemoryLimitError(MEMORY_IS_FULL))
    return record_of(row, result)


def _note(call: Call, results: Sequence[TaskResult], num_documents: int) -> None:
    metrics, outcome = call.service.metrics, call.outcome
    for result in results:
        metrics.count_tokens(prompt=result.usage.prompt_tokens, new=result.usage.new_tokens)
        metrics.note_prompt(result.usage.prompt_tokens)
        outcome.prompt_tokens += result.usage.prompt_tokens
        outcome.new_tokens += result.usage.new_tokens
        # Labels are chosen, with nothing generated.
        reason = getattr(result, "finish_reason", None) or "chosen"
        metrics.note_answer(result.usage.new_tokens, reason)
        outcome.finish_reasons[reason] += 1
    if len(results) < num_documents:
        outcome.finish_reasons["error"] += num_documents - len(results)


def _too_late(call: Call) -> str:
    if not call.is_late:
        return "the server is shutting down: try again later"
    return (
        f"it was not answered within {call.service.settings.answer_seconds:g} seconds: send fewer or shorter documents"
    )
