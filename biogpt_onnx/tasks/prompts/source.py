"""A document in the form in which a task's prompt has it, and where each of its characters comes from."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from biogpt_onnx.tasks.document import Document

SourceOf = Callable[[Document], "Source"]
"""Makes the source of a prompt from a document."""

_NEEDS_NO_FULL_STOP = re.compile(r"\W\Z")


@dataclass(frozen=True)
class Source:
    """The text before the soft prompt.

    Attributes:
        text: as the model gets it.
        origins: for each of its characters the place in `Document.full_text`; None for what the prompt adds.
    """

    text: str
    origins: tuple[int | None, ...]

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, int | None]], *, lower: bool = False) -> "Source":
        """Joins pieces, each with the place in the document where it begins; None for one that is not from there."""
        texts, origins = [], []
        for piece, start in pieces:
            text, places = _lowered(piece) if lower else (piece, range(len(piece)))
            texts.append(text)
            origins += [None if start is None else start + place for place in places]
        return cls("".join(texts), tuple(origins))


def title_and_abstract(document: Document) -> Source:
    """What relations between chemicals, diseases and targets are extracted from, in lower case.

    As in microsoft/BioGPT, a title that ends with a letter, a digit or an underscore is given a full stop.
    """
    if not document.title:
        return Source.of([(document.text, 0)], lower=True)
    start = len(document.title)
    between = [(" ", start)] if _NEEDS_NO_FULL_STOP.search(document.title) else [(".", None), (" ", start)]
    return Source.of([(document.title, 0), *between, (document.text, start + 1)], lower=True)


def abstract_alone(document: Document) -> Source:
    """What interactions between drugs are extracted from: the text without its title, in lower case."""
    return Source.of([(document.text, _start_of_text(document))], lower=True)


def ended_sentence(document: Document) -> Source:
    """What is classified: the text as it is, with a full stop if it has none."""
    text = document.text.strip()
    start = _start_of_text(document) + len(document.text) - len(document.text.lstrip())
    return Source.of([(text, start), *([] if text.endswith(".") else [(".", None)])])


def question_and_context(document: Document) -> Source:
    """A question and the text that is to answer it."""
    text = document.text.strip()
    start = _start_of_text(document) + len(document.text) - len(document.text.lstrip())
    return Source.of([(f"question: {document.question.strip()} context: ", None), (text, start), (" ", None)])


def full_text(document: Document) -> Source:
    """Title and text as they are."""
    return Source.of([(document.full_text, 0)])


def _start_of_text(document: Document) -> int:
    return len(document.full_text) - len(document.text)


def _lowered(text: str) -> tuple[str, Iterable[int]]:
    """A text in lower case, and for each of its characters the place in the text."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered, range(len(text))
    # A few characters become two in lower case.
    pairs = [(small, place) for place, character in enumerate(text) for small in character.lower()]
    return "".join(small for small, _ in pairs), [place for _, place in pairs]
