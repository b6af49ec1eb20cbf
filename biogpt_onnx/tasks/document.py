"""Documents: the inputs of all tasks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NamedEntity:
    """An entity that a document names.

    Attributes:
        text: The entity's name as the document writes it.
        type: The entity's type, such as "Chemical"; empty if unknown.
    """

    text: str
    type: str = ""


@dataclass(frozen=True)
class Document:
    """A document as the user wrote it.

    Attributes:
        text: The abstract, the sentence, the context of a question or the term to describe.
        id: The user's identifier of the document; None for none.
        title: The title above the text; empty for none.
        question: The question about the text; read by question answering alone.
        entities: The named entities, if they are known; relations then hold between these alone. None lets relations
            hold between any words of the document.
        conclusion: The conclusion of an abstract whose other sentences are the text, to be shown to the model before it
            answers the question; empty to answer without it, as PubMedQA means it. With it the question is far easier,
            so figures of the two forms are not comparable. Read by question answering alone; spans do not index it.
    """

    text: str
    id: str | None = None
    title: str = ""
    question: str = ""
    entities: tuple[NamedEntity, ...] | None = None
    conclusion: str = ""

    @property
    def full_text(self) -> str:
        """Title and text with one space between, as PubTator counts characters; results' spans index this string."""
        return f"{self.title} {self.text}" if self.title else self.text
