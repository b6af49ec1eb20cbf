"""Relations as annotation formats have them: typed mentions with concepts, and pairs of mentions."""

from collections.abc import Sequence
from dataclasses import dataclass

from biogpt_onnx.files.lexicon import Lexicon
from biogpt_onnx.files.records import Record
from biogpt_onnx.tasks.results import Span


@dataclass(frozen=True)
class RelationSchema:
    """The names of a task's relations and entity types in annotation formats.

    Attributes:
        relation: The relation's name, such as "CID" for chemical-induced diseases; empty to take the name that the
            model states.
        head_type: The type of the first entity, such as "Chemical".
        tail_type: The type of the second entity.
    """

    relation: str
    head_type: str
    tail_type: str


@dataclass(frozen=True)
class Mention:
    """A mention of an entity.

    Attributes:
        text: The document's words, or the generated ones if the document does not hold them.
        kind: The entity's type.
        span: The mention's span in the document's full text; None if the document does not hold it.
        concept: The id of the entity's concept.
    """

    text: str
    kind: str
    span: Span | None
    concept: str


@dataclass(frozen=True)
class AnnotatedRelation:
    """A relation between two mentions.

    Attributes:
        name: The relation's name.
        head: The first mention.
        tail: The second mention.
        score: Log-probability in nats; None if it is not finite.
    """

    name: str
    head: Mention
    tail: Mention
    score: float | None


def annotated_relations(
    record: Record, full_text: str, schema: RelationSchema, lexicon: Lexicon
) -> list[AnnotatedRelation]:
    """Returns the relations of a record, in order.

    Args:
        record: A record of `Relations`.
        full_text: The document's full text as it is written to the output; as long as the original.
        schema: The names of the relations and the entity types.
        lexicon: The concepts of the entities.
    """

    def mention(text: str, span: Sequence[int] | None, kind: str) -> Mention:
        if span is None:
            return Mention(text, kind, None, lexicon.concept(text))
        start, end = span
        return Mention(full_text[start:end], kind, (start, end), lexicon.concept(text))

    return [
        AnnotatedRelation(
            schema.relation or relation["relation"],
            mention(relation["head"], relation["head_span"], schema.head_type),
            mention(relation["tail"], relation["tail_span"], schema.tail_type),
            relation["score"],
        )
        for relation in record["relations"]
    ]
