"""Running a task: documents in, results out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from os import PathLike
from typing import Any, Protocol, TypeAlias, TypeVar, overload, runtime_checkable

from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError, PromptError
from biogpt_onnx.tasks.bundle_check import check_bundle
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.prompts.building import (
    WINDOW_TOKENS,
    Prepared,
    PromptBuilder,
    Reading,
    TooLong,
    build_prompt,
)
from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.prompts.windows import build_prompts
from biogpt_onnx.tasks.registry import resolved
from biogpt_onnx.tasks.results import TaskResult

TaskName: TypeAlias = str | PathLike[str]
"""The name of a task, or the path of a TOML file that defines one."""

ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class RunnableTask(Protocol[ResultT_co]):
    """A task that `run` accepts."""

    @property
    def name(self) -> str:
        """The task's name, as a bundle's manifest records it."""
        ...

    @property
    def soft_prompt_size(self) -> int | None:
        """Rows of the soft prompt behind the source; None accepts any number, 0 leaves it out."""
        ...

    @property
    def least_new_tokens(self) -> int:
        """Number of positions that a prompt must leave for the answer."""
        ...

    def source(self, document: Document, /) -> Source:
        """Makes the source text of the prompt from a document."""
        ...

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = ...) -> Sequence[ResultT_co]:
        """Returns a result for each prompt; `free` removes the constraints on the generated text."""
        ...


@runtime_checkable
class CombiningTask(RunnableTask[ResultT], Protocol[ResultT]):
    """A task that can read a document in windows."""

    def combine(self, results: Sequence[ResultT], /) -> ResultT:
        """Returns the result of a document, from those of its windows in order."""
        ...


_DEFAULT_READING = Reading()


@overload
def run(
    task: TaskName,
    model: BioGPT,
    documents: Sequence[Document | str],
    *,
    free: bool = ...,
    too_long: TooLong = ...,
    normalize_punctuation: bool = ...,
    window_tokens: int = ...,
    max_source_tokens: int | None = ...,
) -> list[Any]: ...


@overload
def run(
    task: RunnableTask[ResultT],
    model: BioGPT,
    documents: Sequence[Document | str],
    *,
    free: bool = ...,
    too_long: TooLong = ...,
    normalize_punctuation: bool = ...,
    window_tokens: int = ...,
    max_source_tokens: int | None = ...,
) -> list[ResultT]: ...


def run(  # noqa: PLR0913 -- what, by whom, on what, and five settings
    task: RunnableTask[ResultT] | TaskName,
    model: BioGPT,
    documents: Sequence[Document | str],
    *,
    free: bool = False,
    too_long: TooLong = "error",
    normalize_punctuation: bool = False,
    window_tokens: int = WINDOW_TOKENS,
    max_source_tokens: int | None = None,
) -> list[ResultT]:
    """Runs a task on several documents, which are decoded together.

    Args:
        task: The task, its name, or the path of a TOML file that defines it.
        model: A bundle of a checkpoint that was fine-tuned for the task.
        documents: The documents; a string is a document's text.
        free: Lets the model generate any text; by default relations consist of the document's own words, and labels
            are of the known set.
        too_long: Handling of documents that are too long: "error", "cut" to read up to the last sentence that fits, or
            "windows" to read all of it in overlapping windows and to combine their results.
        normalize_punctuation: Reads typographic punctuation that the vocabulary lacks as ASCII.
        window_tokens: The most tokens of a window's prompt.
        max_source_tokens: The most tokens of a source; a document with more is too long. None for as many as fit.

    Returns:
        The results in the order of the documents. Those of `biogpt_onnx.tasks.results` know their documents.

    Raises:
        ConfigError: The bundle is for another task, or a setting has a bad value.
        PromptError: A document is empty or too long, or there are none.
    """
    task = resolved(task)
    check_task(task, model)
    reading = Reading(too_long, normalize_punctuation, window_tokens, max_source_tokens)
    if isinstance(documents, str | Document) or not documents:
        raise PromptError("give a list of at least one document")
    if too_long == "windows":
        results = [_read_in_windows(task, model, one, reading, free=free) for one in documents]
    else:
        prepared = [prepare_for(task, model, one, reading) for one in documents]
        results = list(task.answer(model, prepared, free=free))
    return [_of_document(*pair) for pair in zip(results, documents, strict=True)]


@overload
def answer_document(
    task: TaskName, model: BioGPT, prompts: Iterable[Prepared], batch_size: int, *, free: bool = ...
) -> Any: ...  # noqa: ANN401 -- a name says nothing of the type


@overload
def answer_document(
    task: RunnableTask[ResultT], model: BioGPT, prompts: Iterable[Prepared], batch_size: int, *, free: bool = ...
) -> ResultT: ...


def answer_document(
    task: RunnableTask[ResultT] | TaskName,
    model: BioGPT,
    prompts: Iterable[Prepared],
    batch_size: int,
    *,
    free: bool = False,
) -> ResultT:
    """Answers one document from the prompts of its windows; one batch of them is in memory at a time.

    Raises:
        ConfigError: There are several, and the task does not say how their results are combined.
    """
    task = resolved(task)
    batches, results = iter(prompts), list[ResultT]()
    while batch := list(islice(batches, batch_size)):
        if len(results) + len(batch) > 1:
            # Before any work is done.
            _check_combining(task)
        results += task.answer(model, batch, free=free)
    return combined(task, results)


@overload
def combined(task: TaskName, results: Sequence[ResultT]) -> ResultT: ...


@overload
def combined(task: RunnableTask[ResultT], results: Sequence[ResultT]) -> ResultT: ...


def combined(task: RunnableTask[ResultT] | TaskName, results: Sequence[ResultT]) -> ResultT:
    """Returns the result of a document from those of its prompts: the only one, or that of all windows.

    Raises:
        ConfigError: There are several, and the task does not say how they are combined.
    """
    if len(results) == 1:
        return results[0]
    combining: CombiningTask[ResultT] = _check_combining(resolved(task))
    return combining.combine(results)


def _check_combining(task: RunnableTask[ResultT]) -> CombiningTask[ResultT]:
    if not isinstance(task, CombiningTask):
        raise ConfigError(f'the results of {task.name} cannot be combined: give too_long as "error" or "cut"')
    return task


def _of_document(result: ResultT, document: Document | str) -> ResultT:
    """Returns a result that knows its document, if it has a place for it."""
    if not isinstance(result, TaskResult):
        return result
    return replace(result, document=_document(document))


def _document(document: Document | str) -> Document:
    return Document(document) if isinstance(document, str) else document


def _read_in_windows(
    task: RunnableTask[ResultT], model: BioGPT, document: Document | str, reading: Reading, *, free: bool
) -> ResultT:
    prompts = prompts_for(task, model, document, reading)
    return answer_document(task, model, prompts, model.default_batch_size, free=free)


def check_task(task: RunnableTask[object] | TaskName, model: BioGPT) -> None:
    """Refuses a bundle that is for another task.

    Raises:
        ConfigError: The bundle is for another task; the message names both.
    """
    task = resolved(task)
    check_bundle(model.manifest, task.name, task.soft_prompt_size)


def prepare_for(
    task: RunnableTask[object] | TaskName, model: BioGPT, document: Document | str, reading: Reading = _DEFAULT_READING
) -> Prepared:
    """Builds a document's prompt for a task.

    Args:
        task: The task, its name, or the path of a TOML file that defines it.
        model: The model, with its tokenizer and its number of positions.
        document: The document; a string is a document's text.
        reading: Handling of long texts and of typographic punctuation.

    Returns:
        The document with its prompt.

    Raises:
        PromptError: The document is empty or too long, or of another type.
    """
    return build_prompt(_builder(resolved(task), model, document, reading))


def prompts_for(
    task: RunnableTask[object] | TaskName, model: BioGPT, document: Document | str, reading: Reading = _DEFAULT_READING
) -> Iterator[Prepared]:
    """Yields a document's prompts for a task: one, or one for each window; see `prepare_for` and `build_prompts`.

    Raises:
        PromptError: The document is empty, too long or of another type.
    """
    return build_prompts(_builder(resolved(task), model, document, reading))


def _builder(task: RunnableTask[object], model: BioGPT, document: Document | str, reading: Reading) -> PromptBuilder:
    if not isinstance(document, Document | str):
        raise PromptError(f"a document is of type {type(document).__name__}: give a Document or a string")
    return PromptBuilder(
        model,
        _document(document),
        task.source,
        reading,
        soft_prompt=task.soft_prompt_size != 0,
        least_new_tokens=task.least_new_tokens,
    )
