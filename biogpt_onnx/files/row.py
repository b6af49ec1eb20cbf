"""What a file holds, one after the other: a document, or what is wrong with a row."""

from dataclasses import dataclass

from biogpt_onnx.tasks.document import Document

MAX_CHARACTERS = 10_000_000
"""Of a document; a book has a tenth of it."""

MAX_ROW_BYTES = 64 * 1024 * 1024
"""Of what a document is read from: a line, or an XML element. What is longer is not kept in memory."""


class RowError(Exception):
    """A row is no document; the message says why. It never leaves this package: it becomes an item's problem."""


@dataclass(frozen=True)
class Passage:
    """A part of a BioC document.

    Attributes:
        kind: the type that the file gives it, such as "title"; empty for none.
        offset: where it begins by the file's own count.
        start: where it begins in `Document.full_text`.
        end: where it ends there.
    """

    kind: str
    offset: int
    start: int
    end: int


@dataclass(frozen=True)
class Item:
    """A row of a file.

    Attributes:
        line: the line on which the row or the document begins, from 1; of BioC the number of the document, from 1.
        document: what the row holds; None where it is bad.
        problem: what is wrong with it; None where nothing is.
        passages: of a BioC document, in order; empty for any other.
    """

    line: int
    document: Document | None
    problem: str | None = None
    passages: tuple[Passage, ...] = ()


def good_item(line: int, document: Document, passages: tuple[Passage, ...] = ()) -> Item:
    """An item of a document that can be read.

    Raises:
        RowError: its text is empty, it is too long, or it is not Unicode.
    """
    if not document.text.strip():
        raise RowError("the text is empty: give a text")
    size = len(document.title) + len(document.text) + len(document.question)
    if size > MAX_CHARACTERS:
        raise RowError(f"the document has {size:,} characters, of which {MAX_CHARACTERS:,} are read at most: divide it")
    for name in ("id", "title", "text", "question"):
        try:
            (getattr(document, name) or "").encode()
        except UnicodeEncodeError as error:
            raise RowError(
                f"the {name} holds half of a surrogate pair (character {error.start + 1}): write it as UTF-8"
            ) from error
    return Item(line, document, None, passages)
