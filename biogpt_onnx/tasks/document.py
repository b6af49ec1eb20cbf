"""Documents: the inputs of all tasks."""

from dataclasses import dataclass

Span = tuple[int, int]
"""Start and end of some characters of `Document.full_text`, the end excluded."""


@dataclass(frozen=True)
class NamedEntity:
    """An entity that a document names.

    Attributes:
        text: The entity's name. If `spans` holds one span, the document's own characters there count instead, because
            annotations often spell names in another way than the document.
        type: The entity's type, such as "Chemical"; empty if unknown.
        spans: The mention's characters in `Document.full_text`; several spans, in order, for a mention in parts, such
            as "renal failure" in "renal and hepatic failure"; empty to take the name wherever the document holds it.
        concept: The id of the entity's concept, such as a MeSH id; empty if unknown.
    """

    text: str
    type: str = ""
    spans: tuple[Span, ...] = ()
    concept: str = ""


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
