"""JATS: title and abstract are a document, and each section of the body."""

from pathlib import Path

import pytest

from biogpt_onnx.files.reading import detect_format
from biogpt_onnx.tasks.document import Document
from makers.documents import documents, problems, read, save

IDS = '<article-id pub-id-type="pmid">5</article-id><article-id pub-id-type="pmc">77</article-id>'
PLAIN_TITLE = "<title-group><article-title>Tremor</article-title></title-group>"


def article(front: str = "", body: str = "", back: str = "", ids: str = IDS) -> str:
    meta = f"<article-meta>{ids}{front or PLAIN_TITLE}</article-meta>"
    held = f"<body>{body}</body>" if body else ""
    return (
        '<article xmlns:xlink="http://www.w3.org/1999/xlink" xml:lang="en"><front><journal-meta><journal-title-group>'
        f"<journal-title>J</journal-title></journal-title-group></journal-meta>{meta}</front>{held}{back}</article>"
    )


TITLE = (
    "<title-group><article-title>Tremor <italic>in</italic> rats<xref><sup>*</sup></xref></article-title></title-group>"
)


def test_title_and_abstract_are_one_document() -> None:
    abstract = "<abstract><title>Abstract</title><p>We saw\n  it.</p><p>Twice.</p></abstract>"
    assert documents(read(article(TITLE + abstract), "jats")) == [
        Document("We saw it. Twice.", "PMC77", "Tremor in rats")
    ]


def test_a_structured_abstract_keeps_its_titles() -> None:
    sections = "<sec><title>Methods</title><p>We asked.</p></sec><sec><title>Results:</title><p>It did.</p></sec>"
    found = documents(read(article(f"<abstract>{sections}</abstract>"), "jats"))
    assert found[0].text == "Methods: We asked. Results: It did."


@pytest.mark.parametrize(
    "other",
    [
        '<abstract abstract-type="graphical"><p>No.</p></abstract>',
        '<abstract xml:lang="es"><p>No.</p></abstract>',
        '<trans-abstract xml:lang="es"><p>No.</p></trans-abstract>',
    ],
)
def test_other_abstracts_are_not_mixed_in(other: str) -> None:
    front = f'{TITLE}{other}<abstract xml:lang="en"><p>We saw it.</p></abstract>{other}'
    assert documents(read(article(front), "jats"))[0].text == "We saw it."


def test_each_section_with_paragraphs_is_a_document() -> None:
    body = (
        "<p>Before all.</p>"
        '<sec id="s1"><title>Methods</title><p>We asked.</p>'
        "<sec><title>Rats</title><p>Nine rats:</p><list><list-item><label>1</label><p>one</p></list-item>"
        "<list-item><p>two</p></list-item></list></sec></sec>"
        '<sec id="s2"><title>Results</title><sec id="s2.1"><title>Tremor</title><p>It did.</p></sec></sec>'
    )
    back = "<back><ref-list><ref><mixed-citation>No.</mixed-citation></ref></ref-list></back>"
    items = read(article(body=body, back=back + "<sub-article><body><p>No.</p></body></sub-article>"), "jats")
    assert documents(items) == [
        Document("Tremor", "PMC77"),
        Document("Before all.", "PMC77#1"),
        Document("We asked.", "PMC77#s1", "Methods"),
        Document("Nine rats: one two", "PMC77#3", "Rats"),
        Document("It did.", "PMC77#s2.1", "Tremor"),
    ]
    assert [one.line for one in items] == [1, 2, 3, 4, 5]


def test_what_is_no_running_text_is_left_out() -> None:
    paragraph = (
        "<p>Lithium<sup><xref ref-type='bibr'>3</xref>,<xref ref-type='bibr'>4</xref></sup> caused tremor"
        "<xref ref-type='bibr'><sup>5</sup></xref> [<xref ref-type='bibr'>6</xref>] in 10<sup>3</sup> rats"
        "<fig><caption><p>No.</p></caption></fig><table-wrap><table><tr><td>No.</td></tr></table></table-wrap>"
        "<inline-formula><alternatives><tex-math>\\documentclass</tex-math><mml:math xmlns:mml='m'><mml:mi>x</mml:mi>"
        "</mml:math></alternatives></inline-formula>.</p>"
    )
    found = documents(read(article(f"{TITLE}<abstract>{paragraph}</abstract>"), "jats"))
    assert found[0].text == "Lithium caused tremor [6] in 103 ratsx."


@pytest.mark.parametrize(
    ("ids", "read_as"),
    [
        ("", None),
        ('<article-id pub-id-type="doi">10.1/x</article-id>', "10.1/x"),
        ('<article-id pub-id-type="pmid">5</article-id><article-id pub-id-type="doi">10.1/x</article-id>', "5"),
        ('<article-id pub-id-type="pmcid">PMC8</article-id><article-id pub-id-type="pmid">5</article-id>', "PMC8"),
        ('<article-id pub-id-type="pmc">PMC8</article-id>', "PMC8"),
    ],
)
def test_the_id_is_that_of_pubmed_central_or_else_another(ids: str, read_as: str | None) -> None:
    found = documents(read(article(ids=ids, body="<p>X</p>"), "jats"))
    assert [one.id for one in found] == [read_as, None if read_as is None else f"{read_as}#1"]


def test_sets_are_read_one_article_at_a_time_whatever_holds_them(tmp_path: Path) -> None:
    two = article() + article("<title-group/>", ids="") + article()
    answer = (
        '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords><record><metadata>'
        + article().replace("<article ", '<article xmlns="https://jats.nlm.nih.gov/ns/archiving/1.3/" ')
        + "</metadata></record></ListRecords></OAI-PMH>"
    )
    items = read(f"<pmc-articleset>{two}</pmc-articleset>", "jats")
    assert [one.document for one in items] == [Document("Tremor", "PMC77"), None, Document("Tremor", "PMC77")]
    assert "neither a title nor an abstract" in problems(items)[2]
    assert documents(read(answer, "jats")) == [Document("Tremor", "PMC77")]
    for name in ("a.xml", "a.nxml", "a.txt"):
        assert detect_format(save(tmp_path, name, answer)).format == "jats"
