"""Results of tasks. Spans are (start, end) character offsets into `Document.full_text`, the end excluded."""

from collections.abc import Mapping
from dataclasses import dataclass

from biogpt_onnx.tasks.document import Span

__all__ = ["Answer", "Classification", "Description", "Relation", "Relations", "Span"]


@dataclass(frozen=True)
class Relation:
    """A relation that the model states.

    Attributes:
        head: The first entity, in the document's spelling if the document holds it, else as generated.
        relation: The name of the relation between the two entities.
        tail: The second entity, in the document's spelling if the document holds it, else as generated.
        head_span: The characters of the head: the place that a given entity names, else the first occurrence; None if
            the document does not hold it. That of a mention in parts runs from the first part to the last.
        tail_span: The characters of the tail, as `head_span`.
        score: Log-probability in nats, under the model's unconstrained distribution, of the tokens that state the
            relation, given all tokens before them; the best of all windows, if the document was read in windows.
        head_concept: The id of the head's concept, if the head is a given entity with one; else None.
        tail_concept: The id of the tail's concept, if the tail is a given entity with one; else None.
        other_spans: (head_span, tail_span) of further windows that state the relation too; empty if the document was
            read at once.
    """

    head: str
    relation: str
    tail: str
    head_span: Span | None
    tail_span: Span | None
    score: float
    head_concept: str | None = None
    tail_concept: str | None = None
    other_spans: tuple[tuple[Span | None, Span | None], ...] = ()

    @property
    def in_source(self) -> bool:
        """True if the document holds both entities."""
        return self.head_span is not None and self.tail_span is not None


@dataclass(frozen=True)
class Relations:
    """The relations of one document.

    Attributes:
        relations: The relations in the order of the generated text, without duplicates.
        unparsed: The parts of the generated text that state no relation, unchanged.
        text: The whole generated text; of a document that was read in windows, a line for each.
        read: Number of characters of the document's full text that the model read; smaller than its length if the
            document was cut.
        complete: True if the model ended the text with its ending token, False if it was stopped or had no room for
            another statement that it may have wanted to make.
    """

    relations: tuple[Relation, ...]
    unparsed: tuple[str, ...]
    text: str
    read: int
    complete: bool


@dataclass(frozen=True)
class Answer:
    """The answer to one question.

    Attributes:
        label: The most probable answer; None if a free answer is none of the known ones.
        probabilities: The probability of each known answer; they sum to 1.
        score: Log-probability of the whole answering sentence, in nats.
        text: The generated text of a free answer, else the sentence with the chosen label.
        read: Number of characters of the document's full text that the model read; smaller than its length if the
            document was cut.
    """

    label: str | None
    probabilities: Mapping[str, float]
    score: float
    text: str
    read: int


@dataclass(frozen=True)
class Classification:
    """The classes of one document.

    Attributes:
        labels: The labels in the order in which they were found, the most probable first; empty if a free answer
            holds no known label.
        probabilities: The probability of each known label to be the first one; they sum to 1.
        unparsed: The parts of a free answer that are no known label.
        text: The generated text of a free answer, else the sentence with the chosen labels.
        read: Number of characters of the document's full text that the model read; smaller than its length if the
            document was cut.
    """

    labels: tuple[str, ...]
    probabilities: Mapping[str, float]
    unparsed: tuple[str, ...]
    text: str
    read: int


@dataclass(frozen=True)
class Description:
    """A generated text about a term.

    Attributes:
        text: The term and its continuation.
        score: Log-probability of the continuation, with the length penalty by which beams are ranked.
        complete: True if the model ended the text with its ending token.
    """

    text: str
    score: float
    complete: bool
