"""Documents in, results out, whatever the task."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import PromptError
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.fitting import Prepared, Reading, TooLong, prepare
from biogpt_onnx.tasks.source import Source
from biogpt_onnx.tasks.suitability import check_bundle

ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class RunnableTask(Protocol[ResultT_co]):
    """What a task must be able to say and do."""

    @property
    def name(self) -> str:
        """As a bundle's manifest has it."""
        ...

    @property
    def soft_prompt_size(self) -> int | None:
        """Rows of the soft prompt behind the source; None for whatever the bundle has, 0 for none."""
        ...

    @property
    def least_new_tokens(self) -> int:
        """Room for the answer that a document must leave."""
        ...

    def source(self, document: Document, /) -> Source:
        """The form of the document in the prompt."""
        ...

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = ...) -> Sequence[ResultT_co]:
        """A result for each document; `free` lets the model write what it likes."""
        ...


_AS_IT_IS = Reading()


def run(  # noqa: PLR0913 -- what, by whom, on what, and three settings
    task: RunnableTask[ResultT],
    model: BioGPT,
    documents: Sequence[Document | str],
    *,
    free: bool = False,
    too_long: TooLong = "error",
    normalize_punctuation: bool = False,
) -> list[ResultT]:
    """Has a model do a task on each of several documents, which are decoded together.

    Args:
        task: what is to be done.
        model: a bundle of a checkpoint that was fine-tuned for it.
        documents: documents, or texts alone.
        free: let the model write what it likes; by default relations are made of the document's own words, and labels
            are of the known set.
        too_long: "error", or "cut" to read a document that is too long up to the last sentence that fits.
        normalize_punctuation: read typographic punctuation that the vocabulary lacks as ASCII.

    Returns:
        The results in the order of the documents.

    Raises:
        ConfigError: the bundle is for another task, or a bad setting.
        PromptError: a document is empty or too long, or there are none.
    """
    check_task(task, model)
    reading = Reading(too_long, normalize_punctuation)
    if isinstance(documents, str | Document) or not documents:
        raise PromptError("give a list of at least one document")
    return list(task.answer(model, [prepare_for(task, model, one, reading) for one in documents], free=free))


def check_task(task: RunnableTask[object], model: BioGPT) -> None:
    """Refuses a bundle that is for another task.

    Raises:
        ConfigError: says what it is for.
    """
    check_bundle(model.manifest, task.name, task.soft_prompt_size)


def prepare_for(
    task: RunnableTask[object], model: BioGPT, document: Document | str, reading: Reading = _AS_IT_IS
) -> Prepared:
    """Makes a document ready for a task.

    Raises:
        PromptError: it is empty or too long.
    """
    if not isinstance(document, Document | str):
        raise PromptError(f"a document is of type {type(document).__name__}: give a Document or a string")
    return prepare(
        model,
        Document(document) if isinstance(document, str) else document,
        task.source,
        reading,
        soft_prompt=task.soft_prompt_size != 0,
        least_new_tokens=task.least_new_tokens,
    )
