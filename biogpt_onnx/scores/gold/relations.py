"""Gold of relations in the general form: documents, the relations that they state, and perhaps their places."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.scores.gold.files import Entry, document_of, read_documents
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.tasks.definitions.suggestions import did_you_mean
from biogpt_onnx.tasks.document import Document, Span
from biogpt_onnx.tasks.statements.mentions import compared
from biogpt_onnx.tasks.statements.spelling import has_same_letters

_PUBLISHED = ("chemical2id", "triples")
_RELATIONS, _ENTITIES = "relations", "entities"
_WITH_ENTITIES = Columns(entities=_ENTITIES)
_WITHOUT = Columns()


@dataclass(frozen=True)
class GoldRelation:
    """A relation that a document states.

    Attributes:
        head: The name of the first entity.
        relation: The name of the relation.
        tail: The name of the second entity.
        head_spans: The places of the head in `Document.full_text`, of which any is right; empty if they are not known.
        tail_spans: The places of the tail, as `head_spans`.
    """

    head: str
    relation: str
    tail: str
    head_spans: frozenset[Span] = frozenset()
    tail_spans: frozenset[Span] = frozenset()

    @property
    def has_places(self) -> bool:
        """True if the places of both entities are known."""
        return bool(self.head_spans and self.tail_spans)


def is_general(path: Path) -> bool:
    """Returns True if the first document of a file has relations in the general form, and not in a published one.

    Raises:
        DocumentError: The file is malformed.
        OSError: It cannot be read.
    """
    _, entry = next(read_documents(path))
    return _RELATIONS in entry.fields and not any(name in entry.fields for name in _PUBLISHED)


def read_relations(path: Path, relation: str = "", relations: tuple[str, ...] = ()) -> GoldSet[frozenset[GoldRelation]]:
    """Reads documents with their relations in the general form.

    Args:
        path: JSON Lines or JSON of documents with a field `relations`, a list of `{"head", "tail", "relation"}`, each
            perhaps with `head_span` and `tail_span`; and perhaps a field `entities`, as documents have them.
        relation: The name of a relation that does not say it; empty if each must.
        relations: The known names of relations; empty for any.

    Raises:
        DocumentError: The file is malformed, or a relation has an unknown name or a place that holds other words.
        OSError: It cannot be read.
    """
    documents, gold = [], []
    for name, entry in read_documents(path):
        found = document_of(entry, _WITH_ENTITIES if _ENTITIES in entry.fields else _WITHOUT)
        document = Document(found.text, name, found.title, entities=found.entities)
        if not document.text.strip():
            raise DocumentError(f"{entry.where} has an empty text: leave it out")
        documents.append(document)
        gold.append(frozenset(_relation(each, document, relation, relations) for each in entry.entries(_RELATIONS)))
    return GoldSet(tuple(documents), tuple(gold), form="general")


def _relation(entry: Entry, document: Document, relation: str, relations: tuple[str, ...]) -> GoldRelation:
    name = entry.text("relation", optional=bool(relation)) or relation
    if relations and name not in relations:
        hint = did_you_mean(name, relations)
        raise DocumentError(f"{entry.where} has the relation {name!r}{hint}: known are {', '.join(relations)}")
    head, tail = _name(entry, "head"), _name(entry, "tail")
    spans = (frozenset(_spans(entry, slot, words, document)) for slot, words in (("head", head), ("tail", tail)))
    return GoldRelation(head, name, tail, *spans)


def _name(entry: Entry, slot: str) -> str:
    found = entry.text(slot)
    if not found.strip():
        raise DocumentError(f"{entry.where}: the field {slot!r} is empty: give the entity's name")
    return found


def _spans(entry: Entry, slot: str, words: str, document: Document) -> Iterator[Span]:
    """Yields the place that a relation gives, else those of the entities of the name."""
    field = f"{slot}_span"
    given = entry.fields.get(field)
    if given is None:
        named = (one for one in document.entities or () if one.spans and compared(one.text) == compared(words))
        yield from ((one.spans[0][0], one.spans[-1][1]) for one in named)
        return
    if not isinstance(given, list) or [type(each) for each in given] != [int, int]:
        raise DocumentError(f"{entry.where}: the field {field!r} is not [start, end]: give two whole numbers")
    start, end = given
    there = document.full_text[start:end] if 0 <= start < end <= len(document.full_text) else ""
    if not there or not has_same_letters(words, there):
        # Errors do not quote documents.
        raise DocumentError(
            f"{entry.where}: the field {field!r} is {start} to {end} of title, a space and text, where the {slot} does "
            "not stand: mend one of them"
        )
    yield start, end
