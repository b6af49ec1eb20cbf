"""What a task is asked about."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """A document of the user's, as it was written.

    Attributes:
        text: the abstract, the sentence, the context of a question or the term to describe.
        id: what the user calls it; None for nothing.
        title: what stands above the text, if anything does.
        question: what is asked about the text; for question answering alone.
    """

    text: str
    id: str | None = None
    title: str = ""
    question: str = ""

    @property
    def full_text(self) -> str:
        """Title and text with one space between, as PubTator counts characters; spans of results count in this."""
        return f"{self.title} {self.text}" if self.title else self.text
