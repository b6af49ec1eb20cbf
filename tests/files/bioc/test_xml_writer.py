"""BioC XML out."""

import io
from pathlib import Path

import bioc
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from biogpt_onnx.files.annotations import RelationSchema
from biogpt_onnx.files.bioc.xml_writer import BioC, xml_text
from biogpt_onnx.files.lexicon import Lexicon
from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.files.records import record_of
from biogpt_onnx.files.rows import Passage, Row
from biogpt_onnx.runtime.errors import PromptError
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.results import Relation, Relations
from makers.documents import documents, read, relation, relations, unnamed, written

CID = RelationSchema("CID", "Chemical", "Disease")
DOCUMENT = Document("Lidocaine caused cardiac asystole.", "354896", "Lidocaine-induced <asystole>.")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)

# The format's own, as its authors published it.
DTD = """
<!ELEMENT collection ( source, date, key, infon*, document* ) >
<!ELEMENT source (#PCDATA)> <!ELEMENT date (#PCDATA)> <!ELEMENT key (#PCDATA)>
<!ELEMENT infon (#PCDATA)> <!ATTLIST infon key CDATA #REQUIRED >
<!ELEMENT document ( id, infon*, passage+, annotation*, relation* ) > <!ELEMENT id (#PCDATA)>
<!ELEMENT passage ( infon*, offset, ( text | sentence* ), annotation*, relation* ) >
<!ELEMENT offset (#PCDATA)> <!ELEMENT text (#PCDATA)>
<!ELEMENT sentence ( infon*, offset, text, annotation*, relation* ) >
<!ELEMENT annotation ( infon*, location*, text ) > <!ATTLIST annotation id CDATA #IMPLIED >
<!ELEMENT location EMPTY> <!ATTLIST location offset CDATA #REQUIRED length CDATA #REQUIRED >
<!ELEMENT relation ( infon*, node* ) > <!ATTLIST relation id CDATA #IMPLIED >
<!ELEMENT node EMPTY> <!ATTLIST node refid CDATA #REQUIRED role CDATA #REQUIRED >
"""


def parsed(output_format: BioC, *items: tuple[Row, Relations]) -> bioc.BioCCollection:
    text = written(output_format, [record_of(*pair, keep_document=True) for pair in items])
    tree = etree.fromstring(text.encode())
    dtd = etree.DTD(io.StringIO(DTD))
    assert dtd.validate(tree), dtd.error_log
    return bioc.biocxml.loads(text)


def test_relations_are_annotations_with_locations_and_nodes_with_roles() -> None:
    found = relation(DOCUMENT, "Lidocaine", "cardiac asystole", score=-0.25)
    collection = parsed(BioC(CID, Lexicon({"lidocaine": "D008012"})), (Row(1, DOCUMENT), relations(found)))
    (document,) = collection.documents
    title, abstract = document.passages
    assert (document.id, title.text, abstract.text) == (DOCUMENT.id, DOCUMENT.title, DOCUMENT.text)
    assert [each.infons["type"] for each in document.passages] == ["title", "abstract"]
    assert abstract.offset == len(DOCUMENT.title) + 1
    (chemical,), (disease,) = title.annotations, abstract.annotations
    assert (chemical.text, chemical.infons) == ("Lidocaine", {"type": "Chemical", "identifier": "D008012"})
    assert (disease.text, disease.infons["identifier"]) == ("cardiac asystole", "cardiac asystole")
    assert (disease.total_span.offset, disease.total_span.length) == (47, 16)
    (stated,) = document.relations
    assert stated.infons == {"type": "CID", "score": "-0.25"}
    assert stated.get_node(role="head").refid == chemical.id
    assert stated.get_node(role="tail").refid == disease.id


def test_an_entity_of_two_relations_is_annotated_once() -> None:
    one, other = relation(DOCUMENT, "Lidocaine", "asystole"), relation(DOCUMENT, "Lidocaine", "cardiac")
    (document,) = parsed(BioC(CID), (Row(1, DOCUMENT), relations(one, other))).documents
    assert [each.id for each in document.passages[0].annotations] == ["T1", "T2"]
    assert [each.id for each in document.passages[1].annotations] == ["T3"]
    assert [[node.refid for node in each.nodes] for each in document.relations] == [["T1", "T2"], ["T1", "T3"]]


def test_what_the_document_does_not_hold_has_no_location() -> None:
    found = relation(DOCUMENT, "Lidocaine", "heart block", score=float("nan"))
    (document,) = parsed(BioC(CID), (Row(1, DOCUMENT), relations(found))).documents
    (absent,) = document.annotations
    assert (absent.text, absent.locations) == ("heart block", [])
    assert "score" not in document.relations[0].infons


def test_a_document_that_came_as_bioc_keeps_its_passages_and_offsets() -> None:
    document = Document("Lidocaine was given. Asystole followed.", "1")
    passages = (Passage("paragraph", 100, 0, 20), Passage("", 500, 21, 39))
    found = relation(document, "Lidocaine", "Asystole")
    across = relation(document, "given. Asystole", "followed")
    item = Row(1, document, None, passages)
    (written_document,) = parsed(BioC(CID), (item, relations(found, across))).documents
    first, second = written_document.passages
    assert [(each.offset, each.text, each.infons) for each in (first, second)] == [
        (100, "Lidocaine was given.", {"type": "paragraph"}),
        (500, "Asystole followed.", {}),
    ]
    assert [(each.offset, each.length) for each in second.annotations[0].locations] == [(500, 8)]
    # What stands in two passages has a location in each.
    assert [(each.offset, each.length) for each in first.annotations[1].locations] == [(114, 6), (500, 8)]


def test_no_documents_are_a_collection_too() -> None:
    assert parsed(BioC(CID)).documents == []


def test_a_document_without_a_name_has_its_lines_number() -> None:
    (document,) = parsed(BioC(CID), (Row(12, Document("X")), relations())).documents
    assert document.id == "12"


def test_errors_have_no_place_in_it() -> None:
    bad = record_of(Row(1, DOCUMENT), PromptError("too long"), keep_document=True)
    assert written(BioC(CID), [bad]) == written(BioC(CID), [])


def test_the_same_results_are_the_same_file() -> None:
    assert "<date></date>" in written(BioC(CID), []) or "<date/>" in written(BioC(CID), [])


def test_it_survives_the_way_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(written(BioC(CID), [record_of(Row(1, DOCUMENT), relations(), keep_document=True)]))
    assert documents(list(read_documents(path))) == [DOCUMENT]


@given(st.lists(st.tuples(TEXTS, st.just("") | TEXTS, TEXTS), max_size=3), st.data())
def test_what_is_written_is_read_back(rows: list[tuple[str, str, str]], data: st.DataObject) -> None:
    records, expected = [], []
    for name, title, text in rows:
        document = Document(text, name, title)
        full = document.full_text
        spans = data.draw(st.lists(st.tuples(*[st.integers(0, len(full) - 1)] * 2), min_size=2, max_size=2))
        (a, b), (c, d) = [(min(span), max(span) + 1) for span in spans]
        found = relations(Relation(full[a:b], "CID", full[c:d], (a, b), (c, d), -1.0))
        records.append(record_of(Row(1, document), found, keep_document=True))
        expected.append(Document(xml_text(text), xml_text(name), xml_text(title)))
    text = written(BioC(CID), records)
    # What is nothing but characters that XML lacks is empty then.
    readable = [each for each in expected if each.text.strip() and (each.title.strip() or not each.title)]
    if readable == expected:
        assert unnamed(documents(read(text, "bioc"))) == expected
    for document, each in zip(expected, bioc.biocxml.loads(text).documents, strict=True):
        for annotation in (note for passage in each.passages for note in passage.annotations):
            pieces = [document.full_text[place.offset : place.end] for place in annotation.locations]
            # The space between two passages is in neither.
            assert "".join("".join(pieces).split()) == "".join(annotation.text.split())
