"""The work of a task on documents: their prompts, and answers to batches of these."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from biogpt_onnx.runtime.bulk.answering import Work
from biogpt_onnx.runtime.bulk.batches import BatchLimits, Size, is_divisible, most_cached_tokens
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import BioGptError
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.prompts.building import Prepared, Reading
from biogpt_onnx.tasks.results import TaskResult
from biogpt_onnx.tasks.running import RunnableTask, answer_document, prepare_unless_long, prompts_for

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class ReadyDocument:
    """A document that is ready to be answered.

    Attributes:
        document: The document.
        prompt: Its prompt; None for a document that is read in windows.
    """

    document: Document
    prompt: Prepared | None


def work_on_documents(  # noqa: PLR0913 -- what, by whom, on what, and how
    task: RunnableTask[ResultT],
    model: BioGPT,
    document_of: Callable[[ItemT], Document],
    reading: Reading,
    *,
    batch_size: int | None = None,
    free: bool = False,
    caught: type[Exception] = BioGptError,
) -> Work[ItemT, ReadyDocument, ResultT]:
    """Returns the work of a task on items that are documents, or of which documents are made.

    A document that is read in windows is answered by itself.

    Args:
        task: The task.
        model: A bundle of the task.
        document_of: Returns the document of an item; its errors are the item's.
        reading: The settings of prompt building.
        batch_size: The most documents that are decoded together; None for what is best on the model's device.
        free: Removes the constraints on the generated text.
        caught: Errors that are a document's own; others end the work.
    """
    size = batch_size or model.default_batch_size
    most_tokens = most_cached_tokens(model.manifest)

    def prepare(_: int, item: ItemT) -> ReadyDocument:
        document = document_of(item)
        return ReadyDocument(document, prepare_unless_long(task, model, document, reading))

    def size_of(ready: ReadyDocument) -> Size:
        return Size(most_tokens, most_tokens) if ready.prompt is None else _size(task, model, ready.prompt)

    def answer(batch: Sequence[ReadyDocument]) -> Sequence[ResultT]:
        prompts = [ready.prompt for ready in batch if ready.prompt is not None]
        if prompts:
            results: Iterable[ResultT] = task.answer(model, prompts, free=free)
        else:
            results = (
                answer_document(task, model, prompts_for(task, model, ready.document, reading), size, free=free)
                for ready in batch
            )
        return [_of_document(result, ready.document) for result, ready in zip(results, batch, strict=True)]

    return Work(
        prepare,
        size_of,
        answer,
        BatchLimits(size, most_tokens),
        caught,
        is_divisible=is_divisible(model.manifest, model.device),
    )


def _size(task: RunnableTask[Any], model: BioGPT, prompt: Prepared) -> Size:
    config, length = getattr(task, "config", None), len(prompt.prompt_ids)
    new_tokens, beams = task.least_new_tokens, 1
    if isinstance(config, GenerationConfig):
        new_tokens, beams = config.most_new_tokens(length), config.num_beams
    return Size(length, beams * min(length + new_tokens, model.manifest.architecture.max_positions))


def _of_document(result: ResultT, document: Document) -> ResultT:
    """Returns a result that knows its document, if it has a place for it."""
    return replace(result, document=document) if isinstance(result, TaskResult) else result
