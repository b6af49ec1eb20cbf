"""Source texts: the part of a prompt that comes from the document, with the origin of each character."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from biogpt_onnx.runtime.bulk.call import iterable_of
from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.decoding.plain_values import shown
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.document import Document

SourceBuilder = Callable[[Document], "Source"]
"""Makes the source text of a prompt from a document."""

_TYPES_OF_ORIGINS = {int, type(None)}
_NEEDS_NO_FULL_STOP = re.compile(r"\W\Z")


@dataclass(frozen=True)
class Source:
    """The source text of a prompt: the text before the soft prompt.

    Attributes:
        text: The text as the model reads it.
        origins: For each character of the text its index in `Document.full_text`; None for characters that the
            prompt's form adds.

    Raises:
        ConfigError: The text is no string, or the origins are not one for each of its characters.
    """

    text: str
    origins: tuple[int | None, ...]

    def __post_init__(self) -> None:
        text: object = self.text
        if not isinstance(text, str):
            raise ConfigError(f"the text of a source is of type {type(text).__name__}: give a string")
        origins: object = self.origins
        if not isinstance(origins, Sequence) or not {*map(type, origins)} <= _TYPES_OF_ORIGINS:
            raise ConfigError(f"the origins of a source are {shown(origins)}: give whole numbers or None")
        if len(origins) != len(text):
            raise ConfigError(
                f"a source has {len(text):,} characters and {len(origins):,} origins: give one for each character"
            )
        object.__setattr__(self, "origins", tuple(origins))

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, int | None]], *, lower: bool = False) -> "Source":
        """Joins pieces of text.

        Args:
            pieces: The pieces, each with the index in `Document.full_text` where it begins; None for a piece that the
                prompt's form adds.
            lower: Converts the text to lower case.

        Returns:
            The joined source text.

        Raises:
            ConfigError: A piece is something else, or `lower` is no flag.
        """
        checks.flag("lower", lower)
        texts, origins = [], []
        for piece, start in map(_checked_piece, iterable_of("pieces", pieces)):
            text, places = _lowered(piece) if lower else (piece, range(len(piece)))
            texts.append(text)
            origins += [None if start is None else start + place for place in places]
        return cls("".join(texts), tuple(origins))

    def moved(self, start_of_text: int, distance: int) -> "Source":
        """Returns the source with the origins of the document's text moved, for a text that is a part of a longer one.

        Args:
            start_of_text: The index in `Document.full_text` where the text begins, behind the title.
            distance: The characters of the longer text before the part.
        """
        if not distance:
            return self
        origins = (origin if origin is None or origin < start_of_text else origin + distance for origin in self.origins)
        return Source(self.text, tuple(origins))


def title_and_abstract(document: Document) -> Source:
    """Returns title and text in lower case: the source of chemical-disease and drug-target relations.

    A title that ends with a letter, a digit or an underscore is given a full stop, as in microsoft/BioGPT.
    """
    if not document.title:
        return Source.of([(document.text, 0)], lower=True)
    start = len(document.title)
    between = [(" ", start)] if _NEEDS_NO_FULL_STOP.search(document.title) else [(".", None), (" ", start)]
    return Source.of([(document.title, 0), *between, (document.text, start + 1)], lower=True)


def abstract_alone(document: Document) -> Source:
    """Returns the text without its title, in lower case: the source of drug-drug interactions."""
    return Source.of([(document.text, _start_of_text(document))], lower=True)


def ended_sentence(document: Document) -> Source:
    """Returns the text with a full stop at its end: the source of document classification."""
    text = document.text.strip()
    start = _start_of_text(document) + len(document.text) - len(document.text.lstrip())
    return Source.of([(text, start), *([] if text.endswith(".") else [(".", None)])])


def question_and_context(document: Document) -> Source:
    """Returns `question: … context: …` and a space: the source of question answering.

    A document with a conclusion has `answer: …` and a space behind it, PubMedQA's form that needs no reasoning.
    """
    text = document.text.strip()
    start = _start_of_text(document) + len(document.text) - len(document.text.lstrip())
    conclusion = document.conclusion.strip()
    return Source.of(
        [
            (f"question: {document.question.strip()} context: ", None),
            (text, start),
            (f" answer: {conclusion} " if conclusion else " ", None),
        ]
    )


def full_text(document: Document) -> Source:
    """Returns title and text unchanged."""
    return Source.of([(document.full_text, 0)])


def _start_of_text(document: Document) -> int:
    return len(document.full_text) - len(document.text)


def _checked_piece(piece: object) -> tuple[str, int | None]:
    if isinstance(piece, tuple | list) and len(piece) == 2:  # noqa: PLR2004 -- a text and where it begins
        text, start = piece
        if isinstance(text, str) and (start is None or type(start) is int):
            return text, start
    raise ConfigError(f"a piece of a source is {shown(piece)}: give a string and the index where it begins, or None")


def _lowered(text: str) -> tuple[str, Iterable[int]]:
    """Returns a text in lower case, and for each of its characters the index in the original text."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered, range(len(text))
    # A few characters become two in lower case.
    pairs = [(small, place) for place, character in enumerate(text) for small in character.lower()]
    return "".join(small for small, _ in pairs), [place for _, place in pairs]
