"""Results as notebooks show them: well-formed, escaped, and loading nothing."""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from biogpt_onnx import EntitySpan
from biogpt_onnx.tasks import Answer, Classification, Description, Document, Relations
from biogpt_onnx.tasks.heads import EmbeddedText, LabelledText, TaggedText
from biogpt_onnx.tasks.results import TaskResult
from makers.documents import relation, relations

NASTY = "<script>alert('x')</script> & \"tremor\" <img src=x onerror=y>"
ALLOWED = {"div", "p", "mark", "table", "tr", "td", "span"}


class Reader(HTMLParser):
    """Reads HTML and holds it to what a result may contain.

    Attributes:
        texts: the texts, each with the elements that it lies in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED
        assert [name for name, _ in attrs] in ([], ["style"])
        assert not any("url" in (value or "") for _, value in attrs)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((tuple(self.open), data))


def read(result: TaskResult) -> Reader:
    reader = Reader()
    reader.feed(result._repr_html_())
    reader.close()
    assert reader.open == []
    return reader


def shown(result: TaskResult) -> str:
    return "".join(text for _, text in read(result).texts)


def marked(result: TaskResult) -> list[str]:
    return [text for elements, text in read(result).texts if "mark" in elements]


def test_entities_are_marked_in_the_text_and_relations_are_arrows() -> None:
    document = Document("Then lithium caused tremor.", title="A case")
    result = replace(relations(relation(document, "lithium", "tremor")), document=document)
    assert marked(result) == ["lithium", "tremor", "lithium", "tremor"]
    assert shown(result) == "A case Then lithium caused tremor.lithium ──CID──> tremor   p 0.61"
    backgrounds = re.findall(r"background:(#\w+)", result._repr_html_())
    assert backgrounds[:2] == backgrounds[2:]
    assert backgrounds[0] != backgrounds[1]


def test_a_result_without_its_document_shows_what_it_knows() -> None:
    document = Document("Then lithium caused tremor.")
    assert shown(relations(relation(document, "lithium", "asthma"))) == (
        "lithium ──CID──> asthma   p 0.61 (not in the text)"
    )
    assert shown(Relations((), (), "", 5, complete=True)) == "no relation"


@pytest.mark.parametrize(
    "result",
    [
        relations(relation(Document(NASTY), NASTY, NASTY, name=NASTY)),
        Answer("a", {NASTY: 0.5, "b": 0.5}, -1.0, NASTY, 5),
        Classification((NASTY,), {NASTY: 1.0}, (NASTY,), NASTY, 5),
        Description(NASTY, -1.0, complete=True),
        LabelledText(NASTY, (NASTY,), {NASTY: 1.0}, {NASTY: 1.0}, 5),
        LabelledText(None, (), {}, {NASTY: 1.0}, 5),
        TaggedText((EntitySpan(NASTY, 0, len(NASTY), NASTY, 0.5),), (), 5),
        EmbeddedText((0.5,), 5),
    ],
    ids=lambda result: type(result).__name__,
)
def test_whatever_a_text_holds_is_shown_as_it_is(result: TaskResult) -> None:
    known = replace(result, document=Document(NASTY, title=NASTY, question=NASTY))
    html = known._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert NASTY in shown(known) or isinstance(result, EmbeddedText)
    assert unescape(html).count("script") == html.count("script")


def test_a_label_has_a_bar_as_long_as_it_is_probable() -> None:
    document = Document("A context.", question="A question?")
    html = Answer("yes", {"yes": 0.75, "no": 0.25}, -0.5, "", 20, document=document)._repr_html_()
    widths = [float(width) for width in re.findall(r"width:([\d.]+)em;background", html)]
    assert widths[0] == 3 * widths[1]
    assert shown(Answer("yes", {"yes": 0.75, "no": 0.25}, -0.5, "", 20, document=document)) == (
        "A context.A question?yes0.75no0.25"
    )


def test_tagged_entities_are_marked_with_their_types() -> None:
    document = Document("Then lithium caused tremor.")
    result = TaggedText((EntitySpan("lithium", 5, 12, "Chemical", 0.9),), (), 27, document=document)
    assert marked(result) == ["lithium", "lithium"]
    assert shown(result) == "Then lithium caused tremor.lithium (Chemical)   p 0.90"
    assert shown(TaggedText((), (), 5)) == "no entity"


def test_numbers_and_vectors_are_said() -> None:
    assert shown(LabelledText(None, (), {}, {"dose": 3.25}, 5)) == "dose: 3.25"
    assert shown(EmbeddedText((0.5,) * 1024, 5)) == "1,024 numbers"
    assert shown(Description("Lidocaine is a drug.", -1.0, complete=True)) == "Lidocaine is a drug."


def test_control_characters_keep_their_places() -> None:
    document = Document("Then\x00 lithium\x1b caused tremor.")
    result = replace(relations(relation(document, "lithium", "tremor")), document=document)
    assert "\x00" not in result._repr_html_()
    assert marked(result)[:2] == ["lithium", "tremor"]
