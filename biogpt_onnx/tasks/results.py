"""Results of tasks. Spans are (start, end) character offsets into `Document.full_text`, the end excluded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from biogpt_onnx.runtime.decoding.state import FinishReason
from biogpt_onnx.runtime.result_base import Result, plain_data
from biogpt_onnx.runtime.results import Usage
from biogpt_onnx.tasks.document import Document, Span
from biogpt_onnx.tasks.drawing.html import html_of
from biogpt_onnx.tasks.drawing.scene import Element, Note, scene_of

__all__ = ["Answer", "Classification", "Description", "Relation", "Relations", "Span", "TaskResult"]


@dataclass(frozen=True, repr=False)
class TaskResult(Result, hidden=("document",)):
    """The base of the results of tasks, which draw themselves in notebooks and turn into rows of a table.

    Attributes:
        usage: Numbers of tokens that were read, generated and dropped, in all windows together.
        document: The document, as `run` sets it; None if it is not known. Not compared.
    """

    usage: Usage = field(default=Usage(0), kw_only=True)
    document: Document | None = field(default=None, kw_only=True, compare=False)

    def to_records(self, id: str | None = None) -> list[dict[str, Any]]:  # noqa: A002 -- the column's name
        """Returns the rows of a table, of single values each.

        Args:
            id: The value of the column `id`; by default the document's id, if the document is known.
        """
        own = self.document.id if id is None and self.document is not None else id
        return [{"id": own, **row} for row in self._rows()]

    def _rows(self) -> list[dict[str, Any]]:
        """Returns the rows without their id."""
        return [self.to_dict()]

    def _repr_html_(self) -> str:
        """Returns the drawing that notebooks show: the text with its entities, relations as arrows, probabilities."""
        return html_of(self._scene())

    def _scene(self) -> Iterator[Element]:
        """Yields what is drawn."""
        texts = None
        if self.document is not None:
            texts = {name: getattr(self.document, name) for name in ("title", "text", "question")}
        return scene_of(self.to_dict(), texts)


@dataclass(frozen=True, repr=False)
class Relation(Result, shown=("head", "relation", "tail", "score"), computed=("in_source",), optional=("other_spans",)):
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


@dataclass(frozen=True, repr=False)
class Relations(TaskResult, shown=("complete", "usage", "relations")):
    """The relations of one document.

    Attributes:
        relations: The relations in the order of the generated text, without duplicates.
        unparsed: The parts of the generated text that state no relation, unchanged.
        text: The whole generated text; of a document that was read in windows, a line for each.
        read: Number of characters of the document's full text that the model read; smaller than its length if the
            document was cut.
        complete: True if the model ended the text with its ending token, False if it was stopped or had no room for
            another statement that it may have wanted to make.
        finish_reason: Reason why the generated text ended, see `Hypothesis.finish_reason`; of a document that was read
            in windows, that of the first text that the model did not end itself.
    """

    relations: tuple[Relation, ...]
    unparsed: tuple[str, ...]
    text: str
    read: int
    complete: bool
    finish_reason: FinishReason | None = field(default=None, kw_only=True)

    def _rows(self) -> list[dict[str, Any]]:
        """Returns a row for each relation, whose spans are columns of their own; further windows are left out."""
        return [_row_of_relation(relation) for relation in self.relations]


@dataclass(frozen=True, repr=False)
class Answer(TaskResult, shown=("label", "probabilities", "text")):
    """The answer to one question.

    Attributes:
        label: The most probable answer; None if a free answer is none of the known ones, or if it is less probable than
            the task's `min_score`.
        probabilities: The probability of each known answer; they sum to 1.
        score: Log-probability of the whole answering sentence, in nats.
        text: The generated text of a free answer, else the sentence with the chosen label.
        read: Number of characters of the document's full text that the model read; smaller than its length if the
            document was cut.
        finish_reason: Reason why a free answer's text ended, see `Hypothesis.finish_reason`; None if nothing was
            generated.
    """

    label: str | None
    probabilities: Mapping[str, float]
    score: float
    text: str
    read: int
    finish_reason: FinishReason | None = field(default=None, kw_only=True)

    def _rows(self) -> list[dict[str, Any]]:
        """Returns a row for each known answer."""
        return _rows_of_labels(self.probabilities, () if self.label is None else (self.label,))


@dataclass(frozen=True, repr=False)
class Classification(TaskResult, shown=("labels", "probabilities", "text")):
    """The classes of one document.

    Attributes:
        labels: The labels in the order in which they were found, the most probable first; empty if a free answer
            holds no known label, or if none is as probable as the task's `min_score`.
        probabilities: The probability of each known label to be the first one; they sum to 1.
        unparsed: The parts of a free answer that are no known label.
        text: The generated text of a free answer, else the sentence with the chosen labels.
        read: Number of characters of the document's full text that the model read; smaller than its length if the
            document was cut.
        finish_reason: Reason why a free answer's text ended, see `Hypothesis.finish_reason`; None if nothing was
            generated.
    """

    labels: tuple[str, ...]
    probabilities: Mapping[str, float]
    unparsed: tuple[str, ...]
    text: str
    read: int
    finish_reason: FinishReason | None = field(default=None, kw_only=True)

    def _rows(self) -> list[dict[str, Any]]:
        """Returns a row for each known label."""
        return _rows_of_labels(self.probabilities, self.labels)


@dataclass(frozen=True, repr=False)
class Description(TaskResult, shown=("text", "score", "complete")):
    """A generated text about a term.

    Attributes:
        text: The term and its continuation.
        score: Log-probability of the continuation, with the length penalty by which beams are ranked.
        complete: True if the model ended the text with its ending token.
        finish_reason: Reason why the text ended, see `Hypothesis.finish_reason`; None if it is unknown.
    """

    text: str
    score: float
    complete: bool
    finish_reason: FinishReason | None = field(default=None, kw_only=True)

    def _rows(self) -> list[dict[str, Any]]:
        """Returns a single row."""
        return [{"text": self.text, "score": plain_data(self.score), "complete": self.complete}]

    def _scene(self) -> Iterator[Element]:
        """Yields the text, which begins with the term."""
        yield Note(self.text)


def _row_of_relation(relation: Relation) -> dict[str, Any]:
    row = relation.to_dict()
    row.pop("other_spans", None)
    for name in ("head", "tail"):
        row[f"{name}_start"], row[f"{name}_end"] = row.pop(f"{name}_span") or (None, None)
    return row


def _rows_of_labels(probabilities: Mapping[str, float], chosen: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"label": label, "probability": plain_data(probability), "chosen": label in chosen}
        for label, probability in probabilities.items()
    ]
