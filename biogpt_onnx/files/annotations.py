"""A result's relations as annotation formats have them: typed mentions with concepts, and pairs of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from biogpt_onnx.files.lexicon import Lexicon
from biogpt_onnx.files.records import Record
from biogpt_onnx.tasks.results import Span


@dataclass(frozen=True)
class Schema:
    """What annotation formats call the parts of a task's relations.

    Attributes:
        relation: the relation's name, such as "CID" of chemicals and the diseases they induce; empty for the one that
            the model states.
        head_type: the type of the first entity, such as "Chemical".
        tail_type: the type of the second one.
    """

    relation: str
    head_type: str
    tail_type: str


@dataclass(frozen=True)
class Mention:
    """An entity of a relation.

    Attributes:
        text: as the document has it, or as generated where it has not.
        kind: its type.
        span: where it stands in the document's full text; None where nowhere.
        concept: its id.
    """

    text: str
    kind: str
    span: Span | None
    concept: str


@dataclass(frozen=True)
class Stated:
    """A relation of a record.

    Attributes:
        name: of the relation.
        head: its first entity.
        tail: its second one.
        score: log-probability, in nats; None where it is not finite.
    """

    name: str
    head: Mention
    tail: Mention
    score: float | None


def stated_relations(record: Record, full_text: str, schema: Schema, lexicon: Lexicon) -> list[Stated]:
    """The relations of a record, in order.

    Args:
        record: of a `Relations`.
        full_text: of the document, as it is written out; as long as the original.
        schema: the names of types and relation.
        lexicon: the ids of the entities.
    """

    def mention(text: str, span: Sequence[int] | None, kind: str) -> Mention:
        if span is None:
            return Mention(text, kind, None, lexicon.concept(text))
        start, end = span
        return Mention(full_text[start:end], kind, (start, end), lexicon.concept(text))

    return [
        Stated(
            schema.relation or relation["relation"],
            mention(relation["head"], relation["head_span"], schema.head_type),
            mention(relation["tail"], relation["tail_span"], schema.tail_type),
            relation["score"],
        )
        for relation in record["relations"]
    ]
