"""What a task is asked about."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NamedEntity:
    """Something that a document names.

    Attributes:
        text: the name, as it stands there.
        type: such as "Chemical"; empty where nobody says.
    """

    text: str
    type: str = ""


@dataclass(frozen=True)
class Document:
    """A document of the user's, as it was written.

    Attributes:
        text: the abstract, the sentence, the context of a question or the term to describe.
        id: what the user calls it; None for nothing.
        title: what stands above the text, if anything does.
        question: what is asked about the text; for question answering alone.
        entities: what it names, where that is known; relations are then between these alone. None for any of its words.
    """

    text: str
    id: str | None = None
    title: str = ""
    question: str = ""
    entities: tuple[NamedEntity, ...] | None = None

    @property
    def full_text(self) -> str:
        """Title and text with one space between, as PubTator counts characters; spans of results count in this."""
        return f"{self.title} {self.text}" if self.title else self.text
