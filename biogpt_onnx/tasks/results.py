"""What tasks give back. Spans are (start, end) characters of `Document.full_text`, the end excluded."""

from collections.abc import Mapping
from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True)
class Relation:
    """A relation that the model states.

    Attributes:
        head: the first entity, in the user's own spelling where it stands in the document, else as generated.
        relation: what holds between the two.
        tail: the second entity, likewise.
        head_span: where the head stands first; None where the document does not hold it.
        tail_span: likewise.
        score: log-probability of the words that state it, behind all before them, in nats, by the model's own
            reckoning.
    """

    head: str
    relation: str
    tail: str
    head_span: Span | None
    tail_span: Span | None
    score: float

    @property
    def in_source(self) -> bool:
        """Whether the document holds both entities."""
        return self.head_span is not None and self.tail_span is not None


@dataclass(frozen=True)
class Relations:
    """The relations of one document.

    Attributes:
        relations: in the order in which the model states them, each once.
        unparsed: what the model wrote beside them, as it wrote it.
        text: all that the model wrote.
        read: characters of the document's full text that the model read; fewer than there are where it was too long.
        complete: whether the model ended by itself, instead of running out of room or being told to stop.
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
        label: the likeliest answer; None where a free answer was none of those known.
        probabilities: of each known answer, adding up to 1.
        score: log-probability of the whole answering sentence, in nats.
        text: what the model wrote where it answered freely; else the label's sentence.
        read: see `Relations`.
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
        labels: those found, the likeliest first; none where a free answer held none of those known.
        probabilities: of each known label to be the one named first, adding up to 1.
        unparsed: what a free answer held beside known labels.
        text: what the model wrote where it answered freely; else the labels' sentence.
        read: see `Relations`.
    """

    labels: tuple[str, ...]
    probabilities: Mapping[str, float]
    unparsed: tuple[str, ...]
    text: str
    read: int


@dataclass(frozen=True)
class Description:
    """What the model writes about a term.

    Attributes:
        text: the term and what follows it.
        score: log-probability of what follows, as beams are ranked.
        complete: whether the model ended by itself.
    """

    text: str
    score: float
    complete: bool
