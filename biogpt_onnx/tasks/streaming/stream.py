"""Running a task: documents in; results out, as a list or as a stream."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, overload

from biogpt_onnx.runtime.bulk.answering import Work, answer_all
from biogpt_onnx.runtime.bulk.call import (
    BulkCall,
    OnError,
    Progress,
    check_cancel,
    check_on_error,
    check_progress,
    iterable_of,
    named,
    reported,
    size_of,
)
from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import BioGptError, CancelledError, PromptError
from biogpt_onnx.tasks.document import Document, as_document
from biogpt_onnx.tasks.prompts.building import WINDOW_TOKENS, Reading, TooLong
from biogpt_onnx.tasks.registry import resolved
from biogpt_onnx.tasks.running import RunnableTask, TaskName, check_batch_size, check_task
from biogpt_onnx.tasks.streaming.work import work_on_documents

ResultT = TypeVar("ResultT")

_NAME = "documents"


@dataclass(frozen=True)
class StreamItem(Generic[ResultT]):
    """A document of a stream with its result, or with the error that it has instead.

    Attributes:
        index: The number of the document in the input, from 0.
        document: The document; None if the input held something else.
        result: The result; None if there is an error.
        error: The error; None if there is a result. A `BioGptError`, or what the code of a task of your own raised.
    """

    index: int
    document: Document | None
    result: ResultT | None = None
    error: Exception | None = None


@overload
def run(
    task: TaskName,
    model: BioGPT,
    documents: Iterable[Document | str],
    *,
    free: bool = False,
    too_long: TooLong = "error",
    normalize_punctuation: bool = False,
    window_tokens: int = WINDOW_TOKENS,
    max_source_tokens: int | None = None,
    batch_size: int | None = None,
    on_error: OnError = "raise",
    progress: Progress = False,
) -> list[Any]: ...


@overload
def run(
    task: RunnableTask[ResultT],
    model: BioGPT,
    documents: Iterable[Document | str],
    *,
    free: bool = False,
    too_long: TooLong = "error",
    normalize_punctuation: bool = False,
    window_tokens: int = WINDOW_TOKENS,
    max_source_tokens: int | None = None,
    batch_size: int | None = None,
    on_error: Literal["raise"] = "raise",
    progress: Progress = False,
) -> list[ResultT]: ...


@overload
def run(
    task: RunnableTask[ResultT],
    model: BioGPT,
    documents: Iterable[Document | str],
    *,
    free: bool = False,
    too_long: TooLong = "error",
    normalize_punctuation: bool = False,
    window_tokens: int = WINDOW_TOKENS,
    max_source_tokens: int | None = None,
    batch_size: int | None = None,
    on_error: OnError,
    progress: Progress = False,
) -> list[ResultT | Exception]: ...


def run(  # noqa: PLR0913 -- what, by whom, on what, and how
    task: RunnableTask[ResultT] | TaskName,
    model: BioGPT,
    documents: Iterable[Document | str],
    *,
    free: bool = False,
    too_long: TooLong = "error",
    normalize_punctuation: bool = False,
    window_tokens: int = WINDOW_TOKENS,
    max_source_tokens: int | None = None,
    batch_size: int | None = None,
    on_error: OnError = "raise",
    progress: Progress = False,
) -> Any:
    """Runs a task on documents; those of like length are decoded together.

    Args:
        task: The task, its name, or the path of a TOML file that defines it.
        model: A bundle of a checkpoint that was fine-tuned for the task.
        documents: The documents, any iterable of them; a string is a document's text.
        free: Lets the model generate any text; by default relations consist of the document's own words, and labels
            are of the known set.
        too_long: Handling of documents that are too long: "error", "cut" to read up to the last sentence that fits, or
            "windows" to read all of it in overlapping windows and to combine their results.
        normalize_punctuation: Reads typographic punctuation that the vocabulary lacks as ASCII.
        window_tokens: The most tokens of a window's prompt.
        max_source_tokens: The most tokens of a source; a document with more is too long. None for as many as fit.
        batch_size: The most documents that are decoded together; None for what is best on the model's device.
        on_error: "raise" to raise the error of a document that has no result, "return" to return it in the result's
            place.
        progress: True to show the progress on a terminal, or a function that takes the number of documents that are
            done and the number of all, None if it is not known.

    Returns:
        The results in the order of the documents. Those of `biogpt_onnx.tasks.results` know their documents.

    Raises:
        ConfigError: The bundle is for another task, or a setting has a bad value.
        PromptError: A document is empty or too long, or there are none; the message names its index and its id.
    """
    reading = Reading(too_long, normalize_punctuation, window_tokens, max_source_tokens)
    call = BulkCall[ResultT](_NAME, documents, on_error=on_error, progress=progress, name_of=_name_of)
    if call.size == 0:
        raise PromptError("give a list of at least one document")
    return call.results(_work(resolved(task), model, reading, batch_size, on_error, free=free))


@overload
def stream(
    task: TaskName,
    model: BioGPT,
    documents: Iterable[Document | str],
    *,
    batch_size: int | None = None,
    free: bool = False,
    too_long: TooLong = "error",
    normalize_punctuation: bool = False,
    window_tokens: int = WINDOW_TOKENS,
    max_source_tokens: int | None = None,
    on_error: OnError = "raise",
    progress: Progress = False,
    cancel: threading.Event | None = None,
) -> Iterator[StreamItem[Any]]: ...


@overload
def stream(
    task: RunnableTask[ResultT],
    model: BioGPT,
    documents: Iterable[Document | str],
    *,
    batch_size: int | None = None,
    free: bool = False,
    too_long: TooLong = "error",
    normalize_punctuation: bool = False,
    window_tokens: int = WINDOW_TOKENS,
    max_source_tokens: int | None = None,
    on_error: OnError = "raise",
    progress: Progress = False,
    cancel: threading.Event | None = None,
) -> Iterator[StreamItem[ResultT]]: ...


def stream(  # noqa: PLR0913 -- what, by whom, on what, and how
    task: RunnableTask[ResultT] | TaskName,
    model: BioGPT,
    documents: Iterable[Document | str],
    *,
    batch_size: int | None = None,
    free: bool = False,
    too_long: TooLong = "error",
    normalize_punctuation: bool = False,
    window_tokens: int = WINDOW_TOKENS,
    max_source_tokens: int | None = None,
    on_error: OnError = "raise",
    progress: Progress = False,
    cancel: threading.Event | None = None,
) -> Iterator[StreamItem[ResultT]]:
    """Runs a task on any number of documents, and yields the result of each, in order, as soon as it is there.

    The documents are read as they are needed, four batches ahead, so that those of like length are decoded together.
    Memory does not grow with their number, and a result does not depend on the other documents.

    Args:
        task: The task, its name, or the path of a TOML file that defines it.
        model: A bundle of a checkpoint that was fine-tuned for the task.
        documents: The documents, any iterable of them, without an end if need be; a string is a document's text.
        batch_size: The most documents that are decoded together; None for what is best on the model's device. Fewer
            are, if the memory for all of them would exceed 4 GB.
        free: Removes the constraints on the generated text, as in `run`.
        too_long: Handling of documents that are too long, as in `run`.
        normalize_punctuation: Reads typographic punctuation that the vocabulary lacks as ASCII.
        window_tokens: The most tokens of a window's prompt.
        max_source_tokens: The most tokens of a source; a document with more is too long. None for as many as fit.
        on_error: "raise" to end with the error of the first document that has no result, after the results of those
            before it; "return" to yield an item with the error and to go on. What the iterable itself raises, and for
            "raise" what the code of your own task raises, ends the stream as it is.
        progress: True to show the progress on a terminal, or a function that takes the number of documents that are
            done and the number of all, None if it is not known.
        cancel: Event that ends the stream after the batch that is being answered.

    Returns:
        An iterator of items, one for each document. Settings are checked at the call.

    Raises:
        ConfigError: The bundle is for another task, or a setting has a bad value.
        PromptError: `documents` is no iterable of documents.
        BioGptError: With `on_error` "raise", a document has no result; the message names its index and its id.
    """
    check_on_error(on_error)
    check_progress(progress)
    check_cancel(cancel)
    reading = Reading(too_long, normalize_punctuation, window_tokens, max_source_tokens)
    known = resolved(task)
    work = _work(known, model, reading, batch_size, on_error, free=free)
    items = iterable_of(_NAME, documents)
    return _items(work, items, known.name, on_error, progress, cancel)


def _work(  # noqa: PLR0913 -- what, by whom, and how
    task: RunnableTask[ResultT],
    model: BioGPT,
    reading: Reading,
    batch_size: int | None,
    on_error: OnError,
    *,
    free: bool,
) -> Work[Any, Any, ResultT]:
    if batch_size is not None:
        check_batch_size(batch_size)
    checks.flag("free", free)
    check_task(task, model)
    return work_on_documents(
        task,
        model,
        as_document,
        reading,
        batch_size=batch_size,
        free=free,
        # A task's own code may raise anything on a text that it did not expect.
        caught=Exception if on_error == "return" else BioGptError,
    )


def _items(  # noqa: PLR0913, PLR0917 -- what, on what, and how
    work: Work[Any, Any, ResultT],
    documents: Iterable[object],
    what: str,
    on_error: OnError,
    progress: Progress,
    cancel: threading.Event | None,
) -> Iterator[StreamItem[ResultT]]:
    size = size_of(documents)
    outcomes = answer_all(work, documents, lambda _, __, error: error, cancel, up_to_first_error=on_error == "raise")
    with reported(what, progress, size) as report:
        for outcome in outcomes:
            if isinstance(outcome.error, CancelledError):
                return
            if outcome.error is not None and on_error == "raise":
                where = _name_of(outcome.index, outcome.item)
                raise outcome.error if size == 1 else named(outcome.error, where)
            report(outcome.index + 1)
            yield StreamItem(outcome.index, _document_of(outcome.item), outcome.result, outcome.error)


def _document_of(item: object) -> Document | None:
    if isinstance(item, str):
        return Document(item)
    return item if isinstance(item, Document) else None


def _name_of(index: int, item: object) -> str:
    document = _document_of(item)
    known = "" if document is None or document.id is None else f" (id {document.id!r})"
    return f"{_NAME}[{index}]{known}"
