"""Relations as annotation formats have them: typed mentions with concepts, and pairs of mentions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from biogpt_onnx.files.lexicon import Lexicon
from biogpt_onnx.files.records import Record
from biogpt_onnx.tasks.entity_types import TypeNames, is_of_type
from biogpt_onnx.tasks.results import Span


@dataclass(frozen=True)
class RelationSchema:
    """The names of a task's relations and entity types in annotation formats.

    Attributes:
        relation: The relation's name, such as "CID" for chemical-induced diseases; empty to take the name that the
            model states.
        head_type: The type of the first entity, such as "Chemical".
        tail_type: The type of the second entity.
        type_names: More names of these types in the input; see `is_of_type`.
    """

    relation: str
    head_type: str
    tail_type: str
    type_names: TypeNames = ()


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

    The concept of an entity is the lexicon's, else the one that the input names for it, else its own words.

    Args:
        record: A record of `Relations`.
        full_text: The document's full text as it is written to the output; as long as the original.
        schema: The names of the relations and the entity types.
        lexicon: The concepts of the entities.
    """
    entities = record["document"].get("entities", ())

    def mention(relation: Record, slot: str, kind: str) -> Mention:
        span = relation[f"{slot}_span"]
        text = relation[slot] if span is None else full_text[slice(*span)]
        named = (one for one in entities if is_of_type(one["type"], kind, schema.type_names))
        concept = (
            lexicon.known_concept(text)
            or relation.get(f"{slot}_concept")
            or _concept_of(named, text, span, full_text)
            or lexicon.concept(text)
        )
        return Mention(text, kind, None if span is None else (span[0], span[1]), concept)

    return [
        AnnotatedRelation(
            schema.relation or relation["relation"],
            mention(relation, "head", schema.head_type),
            mention(relation, "tail", schema.tail_type),
            relation["score"],
        )
        for relation in record["relations"]
    ]


def _concept_of(
    entities: Iterable[dict[str, Any]], text: str, span: Sequence[int] | None, full_text: str
) -> str | None:
    """Returns the concept that the input names for a place or, if it names none there, elsewhere for the same words."""
    wanted = _words(text)
    elsewhere = None
    for entity in entities:
        if not entity["concept"]:
            continue
        if span is not None and _range(entity["spans"]) == tuple(span):
            return str(entity["concept"])
        there = " ".join(full_text[slice(*place)] for place in entity["spans"])
        if elsewhere is None and wanted in {_words(entity["text"]), _words(there)}:
            elsewhere = str(entity["concept"])
    return elsewhere


def _range(spans: Sequence[Sequence[int]]) -> tuple[int, int] | None:
    return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None


def _words(text: str) -> str:
    return " ".join(text.lower().split())
