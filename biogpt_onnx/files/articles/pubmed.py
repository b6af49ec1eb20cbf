"""PubMed's XML, as in its baseline and update files and as its E-utilities give it: titles and abstracts."""

import io
from collections.abc import Iterator

from biogpt_onnx.files.articles.elements import Element, check_elements, elements_of, local_name
from biogpt_onnx.files.articles.text import child, children, joined, labelled, text_of
from biogpt_onnx.files.rows import Deletion, Row, RowError, Version, checked_row
from biogpt_onnx.tasks.document import Document

_ARTICLES = ("PubmedArticle", "PubmedBookArticle")
_ROOTS = ("PubmedArticleSet", "PubmedBookArticleSet", *_ARTICLES)
_DELETIONS = "DeleteCitation"
_WHAT = "PubMed"
_MOST_DIGITS = 9
# PubMed's words for a part of an abstract that has no label, and for titles that it does not have.
_NO_LABEL = "UNLABELLED"
_NO_TITLES = ("In Process Citation", "Not Available")


def read_pubmed(stream: io.BufferedReader, name: str) -> Iterator[Row]:
    """Reads the citations of a PubMed file.

    A document is the title and the abstract in the article's main language, with the PMID as its id. The parts of a
    structured abstract stand behind their labels. Without an abstract the title is the text. Abstracts in other
    languages (`OtherAbstract`) and citations that PubMed has deleted (`DeleteCitation`) are no documents. Brackets
    around a title, which say that PubMed translated it, are taken off.

    Yields:
        The rows, each with the number of the citation in the file.

    Raises:
        DocumentError: The file cannot be read; see `elements_of`.
    """
    for number, element in enumerate(elements_of(stream, name, _ARTICLES, _ROOTS, _WHAT), start=1):
        yield _row(number, element)


def read_pubmed_versions(stream: io.BufferedReader, name: str) -> Iterator[Version | Deletion]:
    """Reads the citations of a PubMed file with the versions of their PMIDs, and the PMIDs that it deletes.

    Yields:
        What the file says, in its order; the rows are those of `read_pubmed`.

    Raises:
        DocumentError: The file cannot be read; see `elements_of`.
    """
    number = 0
    for element in elements_of(stream, name, (*_ARTICLES, _DELETIONS), _ROOTS, _WHAT):
        if local_name(element) == _DELETIONS:
            named = ((_id(pmid), _version(pmid)) for pmid in children(element, "PMID"))
            yield from (Deletion(pmid, version) for pmid, version in named if pmid is not None)
        else:
            number += 1
            pmid = child(_citation(element), "PMID")
            yield Version(_row(number, element), _id(pmid), _version(pmid))


def check_pubmed(stream: io.BufferedReader, name: str) -> None:
    """Reads a file to its end, to refuse one that cannot be read before other work is done.

    Raises:
        DocumentError: The file cannot be read.
    """
    check_elements(stream, name, _ARTICLES, _ROOTS, _WHAT)


def _row(number: int, element: Element) -> Row:
    try:
        return checked_row(number, _document(element))
    except RowError as error:
        return Row(number, None, str(error))


def _citation(element: Element) -> Element:
    return child(element, "BookDocument" if _is_book(element) else "MedlineCitation")


def _is_book(element: Element) -> bool:
    return local_name(element) == "PubmedBookArticle"


def _id(pmid: Element | None) -> str | None:
    try:
        return text_of(pmid) or None
    except RowError:
        return None


def _version(pmid: Element | None) -> int:
    """Returns the version of a PMID; 1 if it names none."""
    version = "" if pmid is None else (pmid.get("Version") or "")
    return int(version) if version.isascii() and version.isdigit() and len(version) <= _MOST_DIGITS else 1


def _document(element: Element) -> Document:
    citation = _citation(element)
    article = citation if _is_book(element) else child(citation, "Article")
    title = _title(text_of(child(article, "ArticleTitle")))
    abstract = joined(
        labelled(_label(part), text_of(part)) for part in children(child(article, "Abstract"), "AbstractText")
    )
    pmid = text_of(child(citation, "PMID")) or None
    if not abstract:
        title, abstract = "", title
    if not abstract:
        raise RowError("the citation has neither a title nor an abstract: leave it out")
    return Document(abstract, pmid, title)


def _label(part: Element) -> str:
    label = " ".join((part.get("Label") or "").split())
    return "" if label.upper() == _NO_LABEL else label


def _title(title: str) -> str:
    """Returns a title without the brackets that stand around all of it, whether its full stop is in them or behind."""
    end = "." if title.endswith("].") else ""
    inner = title.removesuffix(".")
    if not (inner.startswith("[") and inner.endswith("]") and _is_one_bracket(inner)):
        return title
    inner = inner[1:-1].strip()
    if inner.removesuffix(".") in _NO_TITLES:
        return ""
    return inner if inner.endswith((".", "?", "!")) else inner + end


def _is_one_bracket(text: str) -> bool:
    """Returns True if the first bracket is closed by the last one: not in "[3H]dopamine in [rats]"."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if depth == 0:
            return place == len(text) - 1
    return False
