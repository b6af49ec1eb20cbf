"""PubMed's XML: what of a citation is a document, and that a file does no harm."""

import gzip
import io
import socket
import sys
from pathlib import Path
from typing import cast

import pytest

from biogpt_onnx.files import rows
from biogpt_onnx.files.articles import elements
from biogpt_onnx.files.formats import Format
from biogpt_onnx.files.reading import read_documents, read_versions
from biogpt_onnx.files.rows import Deletion, Version
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document
from makers.documents import documents, problems, read, save

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<!DOCTYPE PubmedArticleSet SYSTEM "http://dtd.example.org/pubmed.dtd">\n<PubmedArticleSet>\n'
)
END = "</PubmedArticleSet>\n"


def citation(pmid: str = "7", title: str = "Tremor.", abstract: str = "", more: str = "") -> str:
    held = f"<Abstract>{abstract}</Abstract>" if abstract else ""
    return (
        f'<PubmedArticle>\n <MedlineCitation Status="MEDLINE">\n  <PMID Version="1">{pmid}</PMID>\n'
        f"  <Article><ArticleTitle>{title}</ArticleTitle>{held}<Language>eng</Language></Article>\n  {more}\n"
        "  <CommentsCorrectionsList><CommentsCorrections><PMID>99</PMID></CommentsCorrections>"
        "</CommentsCorrectionsList>\n </MedlineCitation>\n"
        " <PubmedData><ReferenceList><Reference><ArticleIdList><ArticleId>98</ArticleId></ArticleIdList></Reference>"
        "</ReferenceList></PubmedData>\n</PubmedArticle>\n"
    )


def text(words: str, **attributes: str) -> str:
    said = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"<AbstractText{said}>{words}</AbstractText>"


def test_a_citation_is_title_and_abstract_with_its_own_pmid() -> None:
    items = read(
        HEAD + citation("7", "Tremor.", text("We saw it.")) + citation("8", "Ataxia.", text("Too.")) + END, "pubmed"
    )
    assert documents(items) == [Document("We saw it.", "7", "Tremor."), Document("Too.", "8", "Ataxia.")]
    assert [one.line for one in items] == [1, 2]


def test_a_structured_abstract_keeps_its_labels() -> None:
    abstract = (
        text("We asked.", Label="OBJECTIVES", NlmCategory="OBJECTIVE")
        + text("It did.", Label="RESULTS:")
        + text("So.", Label="UNLABELLED")
        + text("", Label="FUNDING")
        + text("End.", NlmCategory="CONCLUSIONS")
        + "<CopyrightInformation>Copyright 2020.</CopyrightInformation>"
    )
    assert documents(read(HEAD + citation(abstract=abstract) + END, "pubmed"))[0].text == (
        "OBJECTIVES: We asked. RESULTS: It did. So. End."
    )


def test_abstracts_in_other_languages_are_not_mixed_in() -> None:
    other = '<OtherAbstract Type="Publisher" Language="spa"><AbstractText>Lo vimos.</AbstractText></OtherAbstract>'
    items = read(HEAD + citation(abstract=text("We saw it."), more=other) + citation("8", more=other) + END, "pubmed")
    assert documents(items) == [Document("We saw it.", "7", "Tremor."), Document("Tremor.", "8")]


def test_deleted_citations_are_no_documents() -> None:
    deleted = "<DeleteCitation><PMID Version='1'>5</PMID><PMID Version='1'>6</PMID></DeleteCitation>"
    assert documents(read(HEAD + citation() + deleted + END, "pubmed")) == [Document("Tremor.", "7")]
    assert read(HEAD + deleted + END, "pubmed") == []


def test_versions_and_deletions_stand_where_the_file_has_them(tmp_path: Path) -> None:
    deleted = "<DeleteCitation><PMID Version='2'>5</PMID><PMID>6</PMID><PMID/></DeleteCitation>"
    newer = citation("8").replace('Version="1"', 'Version="3"')
    bad = citation("9", title="").replace('Version="1"', 'Version="x"')
    path = tmp_path / "in.xml"
    path.write_text(HEAD + citation() + deleted + newer + bad + END, encoding="utf-8")
    found = list(read_versions(path))
    assert [each for each in found if isinstance(each, Deletion)] == [Deletion("5", 2), Deletion("6", 1)]
    versions = [each for each in found if isinstance(each, Version)]
    assert [(each.id, each.number, each.row.line) for each in versions] == [("7", 1, 1), ("8", 3, 2), ("9", 1, 3)]
    assert versions[2].row.document is None
    assert found.index(Deletion("5", 2)) == 1


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("[Tremor after lithium].", "Tremor after lithium."),
        ("[Tremor after lithium.]", "Tremor after lithium."),
        ("[Tremor?].", "Tremor?"),
        ("[Tremor [a case]].", "Tremor [a case]."),
        ("[3H]dopamine in [rats].", "[3H]dopamine in [rats]."),
        ("[3H]dopamine.", "[3H]dopamine."),
        ("Tremor [corrected].", "Tremor [corrected]."),
    ],
)
def test_brackets_of_a_translated_title_are_taken_off(written: str, read_as: str) -> None:
    found = documents(read(HEAD + citation(title=written, abstract=text("X")) + END, "pubmed"))
    assert found[0].title == read_as


@pytest.mark.parametrize("title", ["", "[Not Available].", "[In Process Citation]"])
def test_a_title_that_is_not_there_is_none(title: str) -> None:
    assert documents(read(HEAD + citation(title=title, abstract=text("X")) + END, "pubmed")) == [Document("X", "7")]
    (item,) = read(HEAD + citation(title=title) + END, "pubmed")
    assert item.problem == "the citation has neither a title nor an abstract: leave it out"


def test_markup_and_line_breaks_are_no_part_of_a_text() -> None:
    title = "<i>Ca<sup>2+</sup></i> &amp; <b>&#946;</b>\n   blockers\u2009&lt; 5"
    abstract = text('We\n\t saw <mml:math xmlns:mml="m"><mml:mi>x</mml:mi></mml:math>.<!-- not this -->')
    assert documents(read(HEAD + citation(title=title, abstract=abstract) + END, "pubmed")) == [
        Document("We saw x.", "7", "Ca2+ & β blockers\u2009< 5")
    ]


def test_one_citation_and_a_chapter_of_a_book_are_read_too() -> None:
    assert documents(read(citation(), "pubmed")) == [Document("Tremor.", "7")]
    book = (
        "<PubmedBookArticle><BookDocument><PMID>9</PMID><Book><BookTitle>No</BookTitle></Book><ArticleTitle>Ataxia"
        f"</ArticleTitle><Abstract>{text('X')}</Abstract></BookDocument></PubmedBookArticle>"
    )
    assert documents(read(HEAD + book + END, "pubmed")) == [Document("X", "9", "Ataxia")]


def test_a_baseline_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = save(tmp_path, "pubmed24n0001.xml.gz", gzip.compress((HEAD + citation() + END).encode()))
    assert documents(list(read_documents(path))) == [Document("Tremor.", "7")]


BOMB = (
    '<!DOCTYPE PubmedArticleSet [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><PubmedArticleSet>"
)


@pytest.mark.parametrize("file_format", ["pubmed", "jats"])
@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("", "is not well-formed XML"),
        ("words", "is not well-formed XML"),
        (HEAD + "<PubmedArticle>", "is not well-formed XML"),
        ("<html></html>", "its root is <html>"),
        (BOMB + citation(title="&i;") + END, "declares the entity a|amplification"),
        ('<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><article><front>&a;</front></article>', "the entity a"),
        ('<?xml version="1.0" encoding="nonsense"?><PubmedArticleSet/>', "is not well-formed XML"),
        ("<PubmedArticleSet>" + "<a>" * 500, "is not well-formed XML"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused_before_anything_is_done(
    tmp_path: Path, file_format: Format, data: str, says: str
) -> None:
    if file_format == "jats":
        data = data.replace("PubmedArticleSet", "pmc-articleset").replace("PubmedArticle", "article")
    elif "<article>" in data:
        data = data.replace("article", "PubmedArticle")
    with pytest.raises(DocumentError, match=says) as caught:
        read_documents(save(tmp_path, "a.xml", data), file_format)
    assert "\n" not in str(caught.value)
    assert "a.xml" in str(caught.value)


def test_nothing_is_asked_of_the_network_or_of_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network is asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    save(tmp_path, "own.dtd", '<!ENTITY secret "told">')
    data = HEAD.replace("http://dtd.example.org/pubmed.dtd", (tmp_path / "own.dtd").as_uri()) + citation(
        title="&secret;"
    )
    path = save(tmp_path, "a.xml", data + citation("8") + END)
    items = list(read_documents(path, "pubmed"))
    assert "the entity &secret; is not known" in problems(items)[1]
    assert items[1].document == Document("Tremor.", "8")


def test_memory_is_bounded_whatever_a_file_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 100_000)
    monkeypatch.setattr(elements, "_CHUNK_BYTES", 1 << 12)
    many = HEAD + citation(abstract=text("X" * 1000)) * 500 + "<Junk a='b'>words</Junk>" * 20_000 + END
    assert len(documents(read(many, "pubmed"))) == 500
    for held in ("<Author>X</Author>" * 9000, "X" * 150_000):
        with pytest.raises(DocumentError, match="has an element of more than 100,000 bytes"):
            read_documents(save(tmp_path, "a.xml", HEAD + citation() + citation(more=held) + END), "pubmed")


def test_what_was_read_is_taken_out_of_the_tree() -> None:
    data = (HEAD + citation() * 200 + END).encode()
    roots = set()
    left = []
    stream: io.BufferedReader = io.BufferedReader(cast("io.RawIOBase", io.BytesIO(data)))
    for element in elements.elements_of(stream, "a", ("PubmedArticle",), ("PubmedArticleSet",), "PubMed"):
        roots.add(element.getroottree().getroot().tag)
        left.append(sum(1 for each in element.itersiblings(preceding=True) if len(each)))
    assert roots == {"PubmedArticleSet"}
    assert max(left) == 0


def test_without_its_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lxml.etree", None)
    with pytest.raises(DocumentError, match=r'pip install "biogpt-onnx\[files\]"'):
        read_documents(save(tmp_path, "a.xml", HEAD + END))


def test_comments_between_elements_are_no_part_of_a_citation() -> None:
    marked = citation(abstract=text("We saw it.")).replace("<Article>", "<!-- a --><?b c?><Article>")
    assert documents(read(HEAD + f"<!-- d -->{marked}" + END, "pubmed")) == [Document("We saw it.", "7", "Tremor.")]


@pytest.mark.parametrize("title", ["[[Tremor]", "[A] and [B]", "[3H]dopamine in [rats]."])
def test_brackets_around_a_part_of_a_title_stay(title: str) -> None:
    (found,) = documents(read(HEAD + citation(title=title, abstract=text("We saw it.")) + END, "pubmed"))
    assert found.title == title


def test_an_id_that_cannot_be_read_is_the_problem_of_its_citation(tmp_path: Path) -> None:
    path = save(tmp_path, "a.xml", HEAD + citation("&unknown;", abstract=text("A.")) + citation("8") + END)
    first, second = read_versions(path)
    assert isinstance(first, Version)
    assert isinstance(second, Version)
    assert (first.id, second.id) == (None, "8")
    assert "the entity &unknown; is not known" in str(first.row.problem)
