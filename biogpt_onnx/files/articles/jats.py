"""JATS, the XML in which PubMed Central and publishers keep articles: title and abstract, and the body by section."""

import io
from collections.abc import Callable, Iterator
from functools import partial

from biogpt_onnx.files.articles.elements import Element, check_elements, elements_of, local_name
from biogpt_onnx.files.articles.text import child, children, joined, labelled, text_of
from biogpt_onnx.files.rows import Row, RowError, checked_row
from biogpt_onnx.tasks.document import Document

_ARTICLE = ("article",)
_ROOTS = ("article", "articles", "pmc-articleset", "OAI-PMH")
_WHAT = "JATS"

# Ids in the order in which one is chosen; "pmc" is the older name of "pmcid", with or without the letters.
_IDS = ("pmcid", "pmc", "pmid", "doi", "publisher-id")
_PMC = "PMC"
# What stands within a paragraph and is no running text.
_NO_TEXT = {
    *("fig", "fig-group", "table-wrap", "table-wrap-group", "fn", "fn-group", "disp-formula", "disp-formula-group"),
    *("tex-math", "supplementary-material", "media", "graphic", "inline-graphic", "object-id", "label", "boxed-text"),
}
_BLOCKS = ("p", "list", "disp-quote", "def-list", "verse-group", "statement", "speech")
_SECTION = "sec"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def read_jats(stream: io.BufferedReader, name: str) -> Iterator[Row]:
    """Reads the articles of a file: one article, or a set of them.

    Title and abstract are one document, with the article's id: that of PubMed Central, else that of PubMed, else its
    DOI. Each section of the body that has paragraphs of its own is another document, with the section's title; its id
    is the article's, "#" and the section's id or its number. The sections of an abstract stand behind their titles.
    Figures, tables, footnotes, formulas set apart, references, and abstracts in other languages or for other purposes
    (graphical, for the public) are left out.

    Yields:
        The rows, each with the number of the document in the file.

    Raises:
        DocumentError: The file cannot be read; see `elements_of`.
    """
    number = 0
    for element in elements_of(stream, name, _ARTICLE, _ROOTS, _WHAT):
        for make in _documents(element):
            number += 1
            try:
                yield checked_row(number, make())
            except RowError as error:
                yield Row(number, None, str(error))


def check_jats(stream: io.BufferedReader, name: str) -> None:
    """Reads a file to its end, to refuse one that cannot be read before other work is done.

    Raises:
        DocumentError: The file cannot be read.
    """
    check_elements(stream, name, _ARTICLE, _ROOTS, _WHAT)


def _documents(article: Element) -> Iterator[Callable[[], Document]]:
    """Yields a function that makes each document of an article, or raises `RowError`."""
    meta = child(article, "front", "article-meta")
    identifier = _id(meta)
    yield lambda: _front(meta, article.get(_LANGUAGE), identifier)
    body = child(article, "body")
    if body is not None:
        for number, section in enumerate(_sections(body), start=1):
            name = None if identifier is None else f"{identifier}#{section.get('id') or number}"
            yield partial(_section, section, name)


def _front(meta: Element | None, language: str | None, identifier: str | None) -> Document:
    group = child(meta, "title-group")
    titles = (_text(child(group, part)) for part in ("article-title", "subtitle"))
    title = ": ".join(filter(None, titles))
    abstract = joined(_of_abstract(each) for each in children(meta, "abstract") if _is_main_abstract(each, language))
    if not abstract:
        title, abstract = "", title
    if not abstract:
        raise RowError("the article has neither a title nor an abstract: leave it out")
    return Document(abstract, identifier, title)


def _is_main_abstract(abstract: Element, language: str | None) -> bool:
    return abstract.get("abstract-type") is None and abstract.get(_LANGUAGE) in {None, language}


def _of_abstract(part: Element) -> str:
    """Returns the text of an abstract or of a section of it, each section behind its title."""
    blocks = joined(_text(block) for block in children(part, *_BLOCKS))
    sections = (labelled(_text(child(each, "title")), _of_abstract(each)) for each in children(part, _SECTION))
    return joined((blocks, *sections))


def _sections(body: Element) -> Iterator[Element]:
    """Yields the body, if it has paragraphs of its own, and each section at any depth that has."""
    if next(children(body, *_BLOCKS), None) is not None:
        yield body
    for section in children(body, _SECTION):
        yield from _sections(section)


def _section(section: Element, identifier: str | None) -> Document:
    text = joined(_text(block) for block in children(section, *_BLOCKS))
    return Document(text, identifier, _text(child(section, "title")))


def _id(meta: Element | None) -> str | None:
    found = {each.get("pub-id-type"): text_of(each) for each in children(meta, "article-id")}
    kind = next((kind for kind in _IDS if found.get(kind)), None)
    if kind is None:
        return None
    return _PMC + found[kind].removeprefix(_PMC) if kind in {"pmcid", "pmc"} else found[kind]


def _text(element: Element | None) -> str:
    return text_of(element, _is_left_out)


def _is_left_out(element: Element) -> bool:
    """Returns True for what is no running text, and for raised numbers of references, which stick to words."""
    name = local_name(element)
    if name == "sup":
        return next(element.iter("{*}xref"), None) is not None
    if name == "xref":
        return next(element.iter("{*}sup"), None) is not None
    return name in _NO_TEXT
