"""Writing relations as BioC XML."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from biogpt_onnx.files.annotations import AnnotatedRelation, Mention, RelationSchema, annotated_relations
from biogpt_onnx.files.bioc.library import import_bioc
from biogpt_onnx.files.lexicon import Lexicon
from biogpt_onnx.files.records import Record
from biogpt_onnx.files.rows import Passage
from biogpt_onnx.tasks.document import Document

_END = "</collection>"
# XML cannot hold these characters, not even as character references.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class BioC:
    """Relations as BioC XML; see `OutputFormat`.

    The mentions of a passage are annotations of it, and relations stand at the end of the document. An entity that the
    document does not hold is an annotation of the document without a location. A document that came as BioC keeps its
    passages and their offsets, but not its own annotations. A document without an id gets its line number. Records of
    errors are left out.

    Attributes:
        schema: The names of the relations and the entity types.
        lexicon: The concepts of the entities; an entity that it lacks is its own concept, in lower case.

    Raises:
        DocumentError: The library bioc is not installed.
    """

    schema: RelationSchema
    lexicon: Lexicon = field(default_factory=Lexicon)

    needs_documents = True

    def __post_init__(self) -> None:
        import_bioc()

    def header(self) -> str:
        """Returns the head of the collection."""
        bioc = import_bioc()
        collection = bioc.BioCCollection()
        collection.source = "biogpt-onnx"
        # Without a date, equal results give equal files.
        collection.date = ""
        # This class writes line breaks between the documents, which a standalone file of this type must not have.
        collection.standalone = None
        whole: str = bioc.biocxml.dumps(collection, pretty_print=False)
        return whole.rpartition(_END)[0] + "\n"

    def format_record(self, record: Record) -> str:
        """Returns the document with its mentions and relations."""
        if "error" in record:
            return ""
        from lxml import etree  # noqa: PLC0415 -- a dependency of bioc, which is an extra

        element = import_bioc().biocxml.encoder.encode_document(self._document(record))
        xml: str = etree.tostring(element, encoding="unicode")
        return xml + "\n"

    def footer(self) -> str:
        """Returns the end of the collection."""
        return _END + "\n"

    def _document(self, record: Record) -> Any:  # noqa: ANN401 -- the library has no types
        bioc = import_bioc()
        title, text = (xml_text(record["document"][part]) for part in ("title", "text"))
        full_text = Document(text, title=title).full_text
        passages = [Passage(*fields) for fields in record["document"]["passages"]] or _passages(title, full_text)
        relations = annotated_relations(record, full_text, self.schema, self.lexicon)
        names: dict[Mention, str] = {}
        for mention in (mention for each in relations for mention in (each.head, each.tail)):
            names.setdefault(mention, f"T{len(names) + 1}")
        document = bioc.BioCDocument()
        document.id = xml_text(record["id"] or str(record["line"]))
        for passage in passages:
            written = bioc.BioCPassage.of_text(full_text[passage.start : passage.end], passage.offset)
            if passage.kind:
                written.infons["type"] = xml_text(passage.kind)
            document.add_passage(written)
        for mention, name in names.items():
            _annotate(document, passages, mention, name)
        for number, relation in enumerate(relations, start=1):
            document.add_relation(_relation(f"R{number}", relation, names))
        return document


def xml_text(text: str) -> str:
    """Returns a text of the same length that XML can hold."""
    return _NOT_XML.sub(" ", text)


def _passages(title: str, full_text: str) -> list[Passage]:
    if not title:
        return [Passage("abstract", 0, 0, len(full_text))]
    start = len(title) + 1
    return [Passage("title", 0, 0, len(title)), Passage("abstract", start, start, len(full_text))]


def _annotate(document: Any, passages: Iterable[Passage], mention: Mention, name: str) -> None:  # noqa: ANN401 -- has no types
    bioc = import_bioc()
    annotation = bioc.BioCAnnotation()
    annotation.id = name
    annotation.text = xml_text(mention.text)
    annotation.infons = {"type": mention.kind, "identifier": xml_text(mention.concept)}
    holder = document
    # A mention across the end of a passage has a location in both passages.
    for passage, written in reversed(list(zip(passages, document.passages, strict=True))):
        start, end = _overlap(passage, mention)
        if start < end:
            holder = written
            annotation.locations.insert(0, bioc.BioCLocation(passage.offset + start - passage.start, end - start))
    holder.add_annotation(annotation)


def _overlap(passage: Passage, mention: Mention) -> tuple[int, int]:
    start, end = mention.span or (0, 0)
    return max(start, passage.start), min(end, passage.end)


def _relation(name: str, found: AnnotatedRelation, names: dict[Mention, str]) -> Any:  # noqa: ANN401 -- has no types
    bioc = import_bioc()
    relation = bioc.BioCRelation()
    relation.id = name
    relation.infons = {"type": xml_text(found.name)}
    if found.score is not None:
        relation.infons["score"] = repr(found.score)
    relation.add_node(bioc.BioCNode(names[found.head], "head"))
    relation.add_node(bioc.BioCNode(names[found.tail], "tail"))
    return relation
