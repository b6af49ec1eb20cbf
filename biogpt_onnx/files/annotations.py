"""Relations as annotation formats have them: typed mentions with concepts, and pairs of mentions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from biogpt_onnx.files.lexicon import Lexicon
from biogpt_onnx.files.records import Record
from biogpt_onnx.tasks.entity_types import TypeNames, is_of_type
from biogpt_onnx.tasks.results import Span
from biogpt_onnx.tasks.statements.mentions import compared

UNTYPED = "Entity"
"""The type of entities of which neither the task nor the input says one."""


@dataclass(frozen=True)
class RelationSchema:
    """The names of a task's relations and entity types in annotation formats.

    Attributes:
        relation: The relation's name, such as "CID" for chemical-induced diseases; empty to take the name that the
            model states.
        head_type: The type of the first entity, such as "Chemical"; empty for the one that the input names, else
            `UNTYPED`.
        tail_type: The type of the second entity, as `head_type`.
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
    entities = [_Named.of(entity, full_text) for entity in record["document"].get("entities", ())]

    def mention(relation: Record, slot: str, kind: str) -> Mention:
        span = relation[f"{slot}_span"]
        text = relation[slot] if span is None else full_text[slice(*span)]
        of_kind = [one for one in entities if is_of_type(one.kind, kind, schema.type_names)]
        named = _named(of_kind, text, span)
        concepts = (
            *(lexicon.known_concept(name) for name in (text, *(entity.text for entity in named))),
            relation.get(f"{slot}_concept"),
            *(entity.concept for entity in named),
        )
        concept = next((str(one) for one in concepts if one), lexicon.concept(text))
        kind = kind or next((entity.kind for entity in named if entity.kind), UNTYPED)
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


class _Named(NamedTuple):
    """An entity that the input names."""

    text: str
    kind: str
    span: Span | None
    concept: str
    forms: frozenset[str]

    @classmethod
    def of(cls, entity: dict[str, Any], full_text: str) -> "_Named":
        spans = entity["spans"]
        there = " ".join(full_text[slice(*span)] for span in spans)
        forms = frozenset(compared(name, is_loose=True) for name in (entity["text"], there))
        # Several mentions in parts may have the same first and last character.
        span = (spans[0][0], spans[0][1]) if len(spans) == 1 else None
        return cls(entity["text"], entity["type"], span, entity["concept"], forms)


def _named(entities: Sequence[_Named], text: str, span: Sequence[int] | None) -> list[_Named]:
    """Returns the entities that the input names at a place, then those that it names elsewhere with the same words."""
    here = [entity for entity in entities if span is not None and entity.span == tuple(span)]
    form = compared(text, is_loose=True)
    return here + [entity for entity in entities if entity not in here and form in entity.forms]
