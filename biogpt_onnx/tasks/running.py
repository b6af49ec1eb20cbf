"""The steps of running a task: check the bundle, build prompts, answer them, combine windows."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from os import PathLike
from typing import Any, Protocol, TypeAlias, TypeVar, overload, runtime_checkable

from biogpt_onnx.runtime.bulk.call import iterable_of
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.bundle_check import check_bundle
from biogpt_onnx.tasks.document import Document, as_document
from biogpt_onnx.tasks.prompts.building import (
    Prepared,
    PromptBuilder,
    Reading,
    build_prompt,
)
from biogpt_onnx.tasks.prompts.checks import check_model, check_prompt
from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.prompts.windows import build_prompts
from biogpt_onnx.tasks.registry import resolved

TaskName: TypeAlias = str | PathLike[str]
"""The name of a task, or the path of a TOML file that defines one."""

ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class RunnableTask(Protocol[ResultT_co]):
    """A task that `run` and `stream` accept."""

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

_MOST_TOGETHER = 1_000_000


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
    _check_arguments(task, model)
    check_batch_size(batch_size)
    iterable_of("prompts", prompts)
    batches, results = iter(prompts), list[ResultT]()
    while batch := list(islice(batches, batch_size)):
        for prompt in batch:
            check_prompt(prompt)
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
    given: object = results
    if isinstance(given, str | bytes) or not isinstance(given, Sequence) or not given:
        raise ConfigError(f"results are {given!r}: give a list of at least one")
    if len(results) == 1:
        return results[0]
    combining: CombiningTask[ResultT] = _check_combining(resolved(task))
    return combining.combine(results)


def _check_combining(task: RunnableTask[ResultT]) -> CombiningTask[ResultT]:
    if not isinstance(task, CombiningTask):
        raise ConfigError(f'the results of {task.name} cannot be combined: give too_long as "error" or "cut"')
    return task


def check_task(task: RunnableTask[object] | TaskName, model: BioGPT) -> None:
    """Refuses a bundle that is for another task.

    Raises:
        ConfigError: The bundle is for another task; the message names both.
    """
    task = resolved(task)
    _check_arguments(task, model)
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


def prepare_unless_long(
    task: RunnableTask[object], model: BioGPT, document: Document | str, reading: Reading
) -> Prepared | None:
    """Builds a document's prompt for a task, or returns None for a document that is read in windows.

    Raises:
        PromptError: The document is empty or of another type, or too long and not to be read in windows.
    """
    if reading.too_long != "windows":
        return prepare_for(task, model, document, reading)
    builder = _builder(task, model, document, reading)
    whole = builder.whole()
    return whole if builder.fits(whole) else None


def prompts_for(
    task: RunnableTask[object] | TaskName, model: BioGPT, document: Document | str, reading: Reading = _DEFAULT_READING
) -> Iterator[Prepared]:
    """Yields a document's prompts for a task: one, or one for each window; see `prepare_for` and `build_prompts`.

    Raises:
        PromptError: The document is empty, too long or of another type.
    """
    return build_prompts(_builder(resolved(task), model, document, reading))


def _builder(task: RunnableTask[object], model: BioGPT, document: Document | str, reading: Reading) -> PromptBuilder:
    _check_arguments(task, model)
    if not isinstance(reading, Reading):
        raise ConfigError(f"reading is of type {type(reading).__name__}: give a Reading")
    return PromptBuilder(
        model,
        as_document(document),
        task.source,
        reading,
        soft_prompt=task.soft_prompt_size != 0,
        least_new_tokens=task.least_new_tokens,
    )


def check_batch_size(batch_size: object) -> None:
    """Refuses what is no number of documents.

    Raises:
        ConfigError: The batch size is no whole number from 1 to 1,000,000.
    """
    if type(batch_size) is not int or not 1 <= batch_size <= _MOST_TOGETHER:
        raise ConfigError(f"batch_size is {batch_size!r}: give a whole number from 1 to {_MOST_TOGETHER:,}")


def _check_arguments(task: object, model: object) -> None:
    # Not by class: a task of one's own has the members of `RunnableTask`.
    if not all(hasattr(task, name) for name in ("name", "source", "answer")) or isinstance(task, type):
        raise ConfigError(f"task is of type {type(task).__name__}: give a task, such as tasks.BC5CDR")
    check_model(model)
