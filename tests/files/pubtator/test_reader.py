"""PubTator in: documents, the entities of annotations, and what is no document."""

import pytest

from biogpt_onnx.files import rows
from biogpt_onnx.files.pubtator.composite import parts_of
from biogpt_onnx.files.pubtator.reader import looks_like_pubtator
from biogpt_onnx.tasks.document import Document, NamedEntity
from makers.documents import documents, problems, read

FILE = """\
354896|t|Lidocaine-induced cardiac asystole.
354896|a|Intravenous lidocaine; a|b and "c".
354896\t0\t9\tLidocaine\tChemical\tD008012
354896\t18\t34\tcardiac asystole\tDisease\t-1
354896\tCID\tD008012\tD006323
354896\tPositive_Correlation\tD008012\tD006323\tNovel

7|t|Second
7|a|Text

"""
COMPOSITE = """\
1|t|Toxicity.
1|a|Cisplatin caused renal and hepatic failure, and hyper- and hypotension.
1\t27\t52\trenal and hepatic failure\tDisease\tD1|D2\trenal failure|hepatic failure
1\t58\t80\thyper- and hypotension\tDisease\tD3|D4\thypertension|hypotension
"""


def entities(data: str) -> tuple[NamedEntity, ...]:
    (document,) = documents(read(data, "pubtator"))
    return document.entities or ()


def test_title_abstract_and_entities_are_read_and_relations_left_aside() -> None:
    items = read(FILE, "pubtator")
    named = (
        NamedEntity("Lidocaine", "Chemical", ((0, 9),), "D008012"),
        NamedEntity("cardiac asystole", "Disease", ((18, 34),)),
    )
    assert documents(items) == [
        Document(
            'Intravenous lidocaine; a|b and "c".', "354896", "Lidocaine-induced cardiac asystole.", entities=named
        ),
        Document("Text", "7", "Second"),
    ]
    assert [one.line for one in items] == [1, 7 + 1]


def test_documents_need_no_blank_line_between_them() -> None:
    data = FILE.replace("\n\n", "\n")
    assert documents(read(data, "pubtator")) == documents(read(FILE, "pubtator"))


@pytest.mark.parametrize("data", ["1|t|X\n1|a|\n", "1|t|X\n", "1|t|\n1|a|X\n", "1|a|X\n", "1|t| \n1|a|X\n"])
def test_a_document_of_one_part_has_it_as_its_text(data: str) -> None:
    assert documents(read(data, "pubtator")) == [Document("X", "1")]


@pytest.mark.parametrize(("title", "start"), [("1|t|\n", 1), ("1|t|  \n", 3), ("", 0)])
def test_offsets_count_an_empty_title(title: str, start: int) -> None:
    data = f"{title}1|a|Lithium.\n1\t{start}\t{start + 7}\tLithium\tChemical\tD1\n"
    assert entities(data) == (NamedEntity("Lithium", "Chemical", ((0, 7),), "D1"),)


def test_spaces_at_the_edges_stay_because_offsets_count_them() -> None:
    assert documents(read("1|t| X \r\n1|a| Y \r\n", "pubtator")) == [Document(" Y ", "1", " X ")]


def test_annotations_may_lack_a_type_and_an_id() -> None:
    assert entities("1|t|X Y\n1\t0\t1\tX\n1\t2\t3\tY\tGene\n") == (
        NamedEntity("X", "", ((0, 1),)),
        NamedEntity("Y", "Gene", ((2, 3),)),
    )


def test_a_composite_mention_holds_the_individual_ones() -> None:
    text = documents(read(COMPOSITE, "pubtator"))[0].full_text
    found = [(one.text, one.concept, [text[slice(*span)] for span in one.spans]) for one in entities(COMPOSITE)]
    assert found == [
        ("renal and hepatic failure", "D1|D2", ["renal and hepatic failure"]),
        ("renal failure", "D1", ["renal", "failure"]),
        ("hepatic failure", "D2", ["hepatic failure"]),
        ("hyper- and hypotension", "D3|D4", ["hyper- and hypotension"]),
        ("hypertension", "D3", ["hyper", "tension"]),
        ("hypotension", "D4", ["hypotension"]),
    ]


@pytest.mark.parametrize(
    ("name", "mention", "parts"),
    [
        ("renal toxicity", "adrenal and renal or liver toxicity", ["renal", "toxicity"]),
        ("Breast Cancer", "breast or ovarian cancer", ["breast", "cancer"]),
        ("ovarian cancers", "breast or ovarian cancer", []),
        ("fever", "breast or ovarian cancer", []),
        ("", "breast", []),
        ("x" * 5000, "x" * 5000, []),
    ],
)
def test_parts_are_found_in_their_order_or_not_at_all(name: str, mention: str, parts: list[str]) -> None:
    assert [mention[slice(*part)] for part in parts_of(name, mention)] == parts


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ("2|t|X\nsome words\n2|a|Y", "line 4 is neither"),
        ("words", "line 3 is neither"),
        ("2|t|\n2|a|", "empty"),
        ("2\t0\t1\tX\tChemical\tD1", "empty"),
        (b"2|t|X\n2|a|caf\xe9".decode("latin-1"), "line 4: byte 8 of the line is not UTF-8"),
        ("2|t|X\n2|a|a\0b", "line 4: byte 6 of the line is a NUL"),
        ("2|t|X\n2|a|Two\nmore\tcolumns of\twords", "line 5 does not begin with the id of its document"),
        ("2|t|X\n2|a|Two\n\t\tmore", "line 5 does not begin with the id of its document"),
        ("2|t|X\n2|a|Y\n5\t0\t1\tX\tGene\tD1", "line 5 does not begin with the id of its document"),
        ("2|t|Lithium\n2\t0,26\t7,34\tLithium\tChemical\tD1", "line 4 has an offset that is no whole number"),
        ("2|t|Lithium\n2\t-1\t-1\tLithium\tChemical\tD1", "line 4 has an offset that is no whole number"),
        ("2|t|Lithium\n2\t0\tx\tLithium\tChemical\tD1", "line 4 has an offset that is no whole number"),
        ("2|t|Lithium\n2\t7\t7\tLithium\tChemical\tD1", "line 4 has an offset that is no whole number"),
        (f"2|t|X\n2\t0\t{'9' * 5000}\tX\tGene\tD1", "line 4 has an offset that is no whole number"),
        ("2|t|X\n\n2|a|Y", "line 5 is of the document before the blank line"),
        ("2|t|X\n\n2|a|Y\n2\t0\t1\tX\tGene\tD1", "line 5 is of the document before the blank line"),
        ("2|t|X\n2|a|Y\n\n2\t0\t1\tX\tGene\tD1", "line 6 is of the document before the blank line"),
    ],
)
def test_a_bad_document_is_named_and_the_rest_goes_on(block: str, says: str) -> None:
    data = f"1|t|before\n\n{block}\n\n3|t|behind\n".encode("latin-1")
    items = read(data, "pubtator")
    assert list(problems(items)) == [3]
    assert says in problems(items)[3]
    assert "\n" not in problems(items)[3]
    assert [one.document and one.document.text for one in items] == ["before", None, "behind"]


def test_a_title_that_is_not_utf_8_costs_its_own_document_alone() -> None:
    items = read(b"1|t|A\n1|a|X\n2|t|caf\xe9\n2|a|Y\n3|t|C\n", "pubtator")
    assert [one.document and one.document.id for one in items] == ["1", None, "3"]


def test_a_nul_is_in_error_wherever_it_stands() -> None:
    good = "".join(f"{number}|t|Some words of a document.\n\n" for number in range(1000))
    bad = "x|t|A NUL \0 here.\n\n"
    for data in (bad + good, good + bad):
        items = read(data, "pubtator")
        assert len(items) == 1001
        assert len(problems(items)) == 1


def test_two_documents_may_have_one_id() -> None:
    items = documents(read("1|t|X\n1|a|Y\n\n1|t|Z\n1|a|W\n\n1|t|V\n", "pubtator"))
    assert [one.full_text for one in items] == ["X Y", "Z W", "V"]


def test_two_titles_are_two_documents_and_a_title_may_follow_its_abstract() -> None:
    assert documents(read("1|t|X\n1|t|Z\n", "pubtator")) == [Document("X", "1"), Document("Z", "1")]
    assert documents(read("1|a|Y\n1|t|X\n1|a|W\n", "pubtator")) == [Document("Y", "1", "X"), Document("W", "1")]


@pytest.mark.parametrize("ending", ["\r", "\r\n"])
def test_other_line_endings_and_marks_within_a_file_are_no_part_of_it(ending: str) -> None:
    data = FILE.replace("\n7|t|", "\n\ufeff7|t|")
    assert documents(read(data.replace("\n", ending), "pubtator")) == documents(read(FILE, "pubtator"))


@pytest.mark.parametrize(
    ("beginning", "looks"),
    [
        (b"1|t|Title", True),
        (b"\xef\xbb\xbf\r\n PMC12|a|Text", True),
        (b"doc-1|t|Title", True),
        (b"some words|t|are no id", False),
        (b"Aspirin inhibits COX-1.", False),
        (b"|t|X", False),
        (b"", False),
    ],
)
def test_a_file_is_known_by_its_first_line(beginning: bytes, looks: bool) -> None:  # noqa: FBT001
    assert looks_like_pubtator(beginning) is looks


def test_a_document_of_endless_annotations_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 1000)
    items = read("1|t|Lithium\n" + "1\t0\t7\tLithium\tChemical\tD1\n" * 500 + "\n2|t|behind\n", "pubtator")
    assert "more than 1,000 characters of lines" in problems(items)[1]
    assert items[1].document == Document("behind", "2")
