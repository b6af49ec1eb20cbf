"""PubTator out, and back in."""

from dataclasses import replace

import pytest
from bioc import pubtator
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.files.annotations import RelationSchema
from biogpt_onnx.files.lexicon import Lexicon
from biogpt_onnx.files.pubtator.writer import PubTator, one_line
from biogpt_onnx.files.records import record_of
from biogpt_onnx.files.rows import Passage, Row
from biogpt_onnx.runtime.errors import PromptError
from biogpt_onnx.tasks.document import Document, NamedEntity
from biogpt_onnx.tasks.results import Relation
from makers.documents import documents, read, relation, relations, unnamed, written

CID = RelationSchema("CID", "Chemical", "Disease")
DOCUMENT = Document("Lidocaine caused cardiac asystole.", "354896", "Lidocaine-induced cardiac asystole.")

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["t|x", "a|", "x|t|y", "|a|t|", "1|t|a|b", "a\tb", "a\nb\r\nc", "\u2028", "é\x85"]
)
# Nothing but NUL is a text, but nothing but spaces where NUL may not be.
TEXTS = ANY_TEXT.filter(lambda text: one_line(text).strip())
IDS = st.text(st.sampled_from("abc019.- _"), min_size=1, max_size=8).map(str.strip).filter(bool)


def record(document: Document, *found: Relation) -> dict[str, object]:
    return record_of(Row(1, document), relations(*found), keep_document=True)


def test_relations_are_annotations_and_lines_of_ids() -> None:
    found = relation(DOCUMENT, "Lidocaine", "cardiac asystole")
    lexicon = Lexicon({"lidocaine": "D008012"})
    assert written(PubTator(CID, lexicon), [record(DOCUMENT, found, found)]) == (
        "354896|t|Lidocaine-induced cardiac asystole.\n"
        "354896|a|Lidocaine caused cardiac asystole.\n"
        "354896\t0\t9\tLidocaine\tChemical\tD008012\n"
        "354896\t18\t34\tcardiac asystole\tDisease\tcardiac asystole\n"
        "354896\tCID\tD008012\tcardiac asystole\n"
        "\n"
    )


ANNOTATED = replace(
    DOCUMENT,
    entities=(
        NamedEntity("Lidocaine", "ChemicalEntity", ((0, 9),), "MESH:D008012"),
        NamedEntity("Cardiac Asystole", "Disease", ((18, 34),), "D006323"),
        NamedEntity("asystole", "Gene", ((26, 34),), "7157"),
    ),
)


def test_ids_that_the_input_names_are_kept_in_the_output() -> None:
    found = relation(ANNOTATED, "Lidocaine", "cardiac asystole")
    other = relation(ANNOTATED, "Lidocaine", "asystole")
    lines = written(PubTator(CID), [record(ANNOTATED, found, other)]).splitlines()
    assert [line.split("\t")[-1] for line in lines[2:5]] == ["MESH:D008012", "D006323", "asystole"]
    assert lines[5:7] == ["354896\tCID\tMESH:D008012\tD006323", "354896\tCID\tMESH:D008012\tasystole"]


def test_an_id_that_is_named_elsewhere_for_the_same_words_counts_too() -> None:
    found = Relation("Lidocaine", "CID", "lidocaine", (36, 45), None, -1.0)
    document = replace(ANNOTATED, text="LIDOCAINE caused it.")
    assert "354896\t36\t45\tLIDOCAINE\tChemical\tMESH:D008012\n" in written(PubTator(CID), [record(document, found)])


def test_a_lexicon_counts_more_than_the_input() -> None:
    found = relation(ANNOTATED, "Lidocaine", "cardiac asystole")
    text = written(PubTator(CID, Lexicon({"lidocaine": "C1"})), [record(ANNOTATED, found)])
    assert "354896\tCID\tC1\tD006323\n" in text


def test_the_lexicon_may_have_the_name_as_the_input_spells_it() -> None:
    entities = (NamedEntity("FK 506", "Chemical"), NamedEntity("kidney failure", "Disease", ((14, 27),)))
    document = Document("FK506 without renal failure.", "1", entities=entities)
    found = relation(document, "FK506", "renal failure")
    lexicon = Lexicon({"fk 506": "D016559", "kidney failure": "D051437"})
    assert "1\tCID\tD016559\tD051437\n" in written(PubTator(CID, lexicon), [record(document, found)])


def test_a_composite_mention_has_its_own_id_and_not_that_of_an_individual_one() -> None:
    document = Document("Lithium with renal and hepatic failure.", "1")
    individual = NamedEntity("renal failure", "Disease", ((13, 18), (31, 38)), "D1")
    composite = NamedEntity("renal and hepatic failure", "Disease", ((13, 38),), "D1|D2")
    found = relation(document, "Lithium", "renal and hepatic failure")
    given = replace(found, tail_concept="D1")
    text = written(PubTator(CID), [record(replace(document, entities=(individual, composite)), found, given)])
    assert [line.split("\t")[-1] for line in text.splitlines() if "\tDisease\t" in line] == ["D1|D2", "D1"]


def test_words_that_differ_by_a_space_between_letters_are_not_the_same() -> None:
    entities = (NamedEntity("a trial", "Disease", (), "D1"), NamedEntity("Lithium", "Chemical", ((0, 7),), "D2"))
    document = Document("Lithium and atrial.", "1", entities=entities)
    found = relation(document, "Lithium", "atrial")
    assert "1\tCID\tD2\tatrial\n" in written(PubTator(CID), [record(document, found)])


def test_the_id_of_a_given_entity_counts_more_than_another_of_its_place() -> None:
    found = replace(relation(ANNOTATED, "Lidocaine", "cardiac asystole"), tail_concept="D999")
    assert "\tCID\tMESH:D008012\tD999\n" in written(PubTator(CID), [record(ANNOTATED, found)])


def test_a_schema_without_a_name_takes_the_models() -> None:
    found = relation(DOCUMENT, "Lidocaine", "asystole", name="inhibitor")
    assert "354896\tinhibitor\tlidocaine\tasystole\n" in written(
        PubTator(RelationSchema("", "Chemical", "Gene")), [record(DOCUMENT, found)]
    )


def test_what_the_document_does_not_hold_is_in_the_relation_alone() -> None:
    found = relation(DOCUMENT, "Lidocaine", "heart\tblock")
    lines = written(PubTator(CID), [record(DOCUMENT, found)]).splitlines()
    assert lines[2:] == ["354896\t0\t9\tLidocaine\tChemical\tlidocaine", "354896\tCID\tlidocaine\theart block", ""]


def test_a_span_is_annotated_once_for_each_type() -> None:
    one, other = relation(DOCUMENT, "Lidocaine", "asystole"), relation(DOCUMENT, "Lidocaine", "Lidocaine")
    lines = written(PubTator(CID), [record(DOCUMENT, one, other)]).splitlines()
    assert [line.split("\t")[1:5] for line in lines[2:5]] == [
        ["0", "9", "Lidocaine", "Chemical"],
        ["0", "9", "Lidocaine", "Disease"],
        ["26", "34", "asystole", "Disease"],
    ]


def test_a_document_without_title_counts_from_its_own_beginning() -> None:
    document = Document("Lidocaine caused asystole.", "1")
    text = written(PubTator(CID), [record(document, relation(document, "Lidocaine", "asystole"))])
    assert text.startswith("1|t|Lidocaine caused asystole.\n1|a|\n1\t0\t9\tLidocaine")
    assert unnamed(documents(read(text, "pubtator"))) == [document]


@pytest.mark.parametrize(("name", "as_written"), [(None, "12"), ("", "12"), (" ", "12"), ("a|t|b\tc\n", "a_t_b_c_")])
def test_every_document_has_a_name_that_does_not_break_its_lines(name: str | None, as_written: str) -> None:
    item = Row(12, Document("X", name))
    text = written(PubTator(CID), [record_of(item, relations(), keep_document=True)])
    assert text == f"{as_written}|t|X\n{as_written}|a|\n\n"


def test_errors_have_no_place_in_it() -> None:
    bad = record_of(Row(1, None, "no JSON"), None, keep_document=True)
    too_long = record_of(Row(2, DOCUMENT), PromptError("too long"), keep_document=True)
    assert written(PubTator(CID), [bad, too_long]) == ""


def test_passages_do_not_matter_to_it() -> None:
    item = Row(1, DOCUMENT, None, (Passage("title", 0, 0, 35), Passage("abstract", 50, 36, 70)))
    assert written(PubTator(CID), [record_of(item, relations(), keep_document=True)]) == written(
        PubTator(CID), [record(DOCUMENT)]
    )


@given(ANY_TEXT)
def test_a_text_on_one_line_is_as_long_as_before(text: str) -> None:
    line = one_line(text)
    assert len(line) == len(text)
    assert line.splitlines() == [line] * bool(line)
    assert not {"\t"} & set(line)
    assert "|t|" not in f"1|a|{line}"[3:]


@given(st.lists(st.tuples(IDS, ANY_TEXT, TEXTS), max_size=4), st.data())
def test_what_is_written_is_read_back_and_the_library_agrees(
    rows: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    records = []
    for name, title, text in rows:
        document = Document(text, name, title if one_line(title).strip() else "")
        full = document.full_text
        spans = data.draw(st.lists(st.tuples(*[st.integers(0, len(full) - 1)] * 2), min_size=2, max_size=2))
        (a, b), (c, d) = [(min(span), max(span) + 1) for span in spans]
        records.append(record(document, Relation(full[a:b], "CID", full[c:d], (a, b), (c, d), -1.0)))
    text = written(PubTator(CID), records)
    expected = [
        Document(one_line(text), name, one_line(title) if one_line(title).strip() else "") for name, title, text in rows
    ]
    assert unnamed(documents(read(text, "pubtator"))) == expected
    found = list(pubtator.iterparse_s(text.split("\n")))
    assert [each.pmid for each in found] == [name for name, _, _ in rows]
    for document, each in zip(expected, found, strict=True):
        # The library strips lines, which moves nothing only where a title has no spaces at its edges.
        if document.title == document.title.strip() and document.full_text == document.full_text.strip():
            for annotation in each.annotations:
                assert document.full_text[annotation.start : annotation.end].strip() == annotation.text.strip()
