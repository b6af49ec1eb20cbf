"""Rows of input files: each a document, or the reason why it is none."""

from dataclasses import dataclass

from biogpt_onnx.tasks.document import Document

MAX_CHARACTERS = 10_000_000
"""The most characters of a document; a book has a tenth of it."""

MAX_ROW_BYTES = 64 * 1024 * 1024
"""The most bytes of a line or an XML element that a document is read from. Longer ones are not kept in memory."""


class RowError(Exception):
    """A row is no document; the message says why. The readers turn it into the problem of a `Row`."""


@dataclass(frozen=True)
class Passage:
    """A passage of a BioC document.

    Attributes:
        kind: The type that the file gives it, such as "title"; empty for none.
        offset: The passage's start as the file counts it.
        start: The passage's start in `Document.full_text`.
        end: The passage's end in `Document.full_text`, excluded.
    """

    kind: str
    offset: int
    start: int
    end: int


@dataclass(frozen=True)
class Row:
    """A row of an input file.

    Attributes:
        line: The line on which the row or the document begins, from 1; in BioC the number of the document, from 1.
        document: The row's document; None for a bad row.
        problem: The reason why the row is no document; None for a good row.
        passages: The passages of a BioC document, in order; empty for any other.
    """

    line: int
    document: Document | None
    problem: str | None = None
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class Version:
    """A version of a document.

    Attributes:
        row: The document's row.
        id: The document's id, which a row that is no document may have as well; None for none.
        number: The number of the version: of versions with one id the highest counts, of equal ones the last.
    """

    row: Row
    id: str | None
    number: int = 1


@dataclass(frozen=True)
class Deletion:
    """A version of a document that a file deletes, if it came before.

    Attributes:
        id: The document's id.
        number: The number of the version.
    """

    id: str
    number: int = 1


def checked_row(line: int, document: Document, passages: tuple[Passage, ...] = ()) -> Row:
    """Returns the row of a document.

    Args:
        line: The line on which the document begins, from 1; in BioC the number of the document.
        document: The document.
        passages: The passages of a BioC document.

    Raises:
        RowError: The text is empty, too long or not Unicode.
    """
    if not document.text.strip():
        raise RowError("the text is empty: give a text")
    size = sum(map(len, (document.title, document.text, document.question, document.conclusion)))
    if size > MAX_CHARACTERS:
        raise RowError(f"the document has {size:,} characters, of which {MAX_CHARACTERS:,} are read at most: divide it")
    for name in ("id", "title", "text", "question", "conclusion"):
        _check_unicode(f"the {name}", getattr(document, name) or "")
    for entity in document.entities or ():
        for name in ("text", "type", "concept"):
            _check_unicode(f"an entity's {name}", getattr(entity, name))
    return Row(line, document, None, passages)


def _check_unicode(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowError(
            f"{name} holds half of a surrogate pair (character {error.start + 1}): write it as UTF-8"
        ) from error
