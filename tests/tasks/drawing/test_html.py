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
ALLOWED = {"div", "p", "mark", "bdi", "table", "tr", "th", "td", "span"}
ATTRIBUTES = {"style", "dir", "scope"}


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
        assert {name for name, _ in attrs} <= ATTRIBUTES
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
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%;background", html)]
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


def luminance(color: str) -> float:
    """The relative luminance of a color, as WCAG 2.2 defines it."""
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def overlapping() -> Relations:
    document = Document("Lithium tremor and severe tremor.")
    pairs = (("Lithium", "tremor"), ("Lithium tremor", "severe"), ("severe tremor", "Lithium"))
    return replace(relations(*(relation(document, *pair) for pair in pairs)), document=document)


def test_heads_and_tails_are_told_without_their_colors() -> None:
    lines = re.findall(r"border-bottom:\d+px (\w+)", overlapping()._repr_html_())
    assert {*lines} == {"solid", "double", "dashed"}
    best, other = re.findall(r"font-weight:(\w+)", Answer("a", {"a": 0.6, "b": 0.4}, -1.0, "", 5)._repr_html_())[::3]
    assert (best, other) == ("bold", "normal")


def test_what_is_drawn_can_be_seen_in_light_and_in_dark_themes() -> None:
    html = overlapping()._repr_html_()
    marks = re.findall(r"background:(#\w+);border-bottom:\S+ \w+ (#\w+);color:(#\w+)", html)
    assert len({*marks}) == 3
    for background, line, text in marks:
        assert contrast(background, text) >= 7
        assert contrast(background, line) >= 3
    bars = re.findall(r"%;background:(#\w+)", Answer("a", {"a": 0.6, "b": 0.4}, -1.0, "", 5)._repr_html_())
    assert len({*bars}) == 2
    assert all(contrast(bar, page) >= 3 for bar in bars for page in ("#ffffff", "#111111"))


def test_names_in_another_script_do_not_turn_the_arrow() -> None:
    document = Document("הליתיום גרם לרעד.")
    result = replace(relations(relation(document, "הליתיום", "רעד")), document=document)
    read_elements = [elements for elements, text in read(result).texts if text in {"הליתיום", "רעד"}]
    assert read_elements[-2:] == [("div", "p", "bdi", "mark")] * 2
    text, arrow = re.findall(r'<p dir="(\w+)"', result._repr_html_())
    assert (text, arrow) == ("auto", "ltr")


def test_a_text_without_spaces_is_broken_and_not_cut() -> None:
    assert "overflow-wrap:anywhere" in Description("x" * 400, -1.0, complete=True)._repr_html_()
