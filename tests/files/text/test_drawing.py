"""Results as people see them on a terminal."""

import pytest

from biogpt_onnx import EntitySpan
from biogpt_onnx.files.records import record_of
from biogpt_onnx.files.rows import Row
from biogpt_onnx.files.text.drawing import Drawing
from biogpt_onnx.runtime.errors import PromptError
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.heads import TaggedText
from biogpt_onnx.tasks.results import Answer, Relations
from makers.documents import relation, relations, written


def drawn(document: Document, result: object, drawing: Drawing) -> list[str]:
    record = record_of(Row(1, document), result, keep_document=drawing.needs_documents)
    return drawing.format_record(record).split("\n")


def test_the_words_of_a_relation_are_underlined_where_they_stand() -> None:
    document = Document("Then lithium caused tremor.", title="A case")
    assert drawn(document, relations(relation(document, "lithium", "tremor")), Drawing()) == [
        "  A case Then lithium caused tremor.",
        "              ───────        ══════",
        "  lithium ──CID──> tremor   p 0.61",
        "",
        "",
    ]


def test_a_long_text_is_wrapped_and_its_underlines_with_it() -> None:
    document = Document("word " * 20 + "lithium caused tremor " + "x" * 130)
    lines = drawn(document, relations(relation(document, "lithium", "tremor")), Drawing(width=80))
    assert max(map(len, lines)) == 80
    below = lines.index("  " + "word " * 5 + "lithium caused tremor") + 1
    assert lines[below] == "  " + " " * 25 + "───────        ══════"
    assert "".join(line.strip() for line in lines).count("x") == 130


def test_without_relations_it_says_so() -> None:
    assert "  no relation" in drawn(Document("Nothing."), Relations((), (), "", 8, complete=True), Drawing())


def test_a_word_that_the_text_does_not_hold_is_called_so() -> None:
    document = Document("Lithium caused tremor.")
    lines = drawn(document, relations(relation(document, "Lithium", "asthma")), Drawing())
    assert lines[2].endswith("(not in the text)")


def test_an_answer_is_a_bar_for_each_label() -> None:
    answer = Answer("yes", {"yes": 0.75, "no": 0.25, "maybe": 0.0}, -0.5, "", 20)
    assert drawn(Document("A context.", question="A question?"), answer, Drawing())[:5] == [
        "  A context.",
        "  A question?",
        "  yes    " + "█" * 30 + " " * 10 + "  0.75",
        "  no     " + "█" * 10 + " " * 30 + "  0.25",
        "  maybe  ▏" + " " * 39 + "  0.00",
    ]


def test_an_error_stands_in_the_place_of_the_result() -> None:
    assert drawn(Document("A text.", "7"), PromptError("it is too long"), Drawing()) == [
        "  line 1: it is too long",
        "",
        "",
    ]


def test_a_text_cannot_steer_the_terminal() -> None:
    document = Document("Lithium\x1b[2J caused tremor.")
    plain, colored = (
        "\n".join(drawn(document, relations(relation(document, "Lithium", "tremor")), Drawing(color=color)))
        for color in (False, True)
    )
    assert "\x1b" not in plain
    assert "\x1b[2J" not in colored
    assert "\x1b[1;36mLithium\x1b[0m" in colored


@pytest.mark.parametrize("is_terminal", [True, False])
def test_color_is_for_terminals_alone(*, is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    assert Drawing.for_standard_output().color is is_terminal
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Drawing.for_standard_output().color


@pytest.mark.parametrize(("terminal", "width"), [(300, 100), (90, 90), (20, 80)])
def test_lines_are_as_wide_as_the_terminal_but_not_too_wide_to_be_read(
    terminal: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(terminal))
    monkeypatch.setenv("LINES", "24")
    assert Drawing.for_standard_output().width == width
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert Drawing.for_standard_output().width == Drawing().width == 100


def test_tagged_entities_are_underlined_and_listed() -> None:
    found = TaggedText((EntitySpan("lithium", 5, 12, "Chemical", 0.9),), (), 20)
    assert drawn(Document("Then lithium came."), found, Drawing())[:3] == [
        "  Then lithium came.",
        "       ───────",
        "  lithium (Chemical)   p 0.90",
    ]


def test_a_drawing_has_nothing_before_and_behind_its_results() -> None:
    document = Document("Lithium caused tremor.")
    record = record_of(Row(1, document), relations(relation(document, "Lithium", "tremor")), keep_document=True)
    once = written(Drawing(), [record])
    assert written(Drawing(), [record, record]) == 2 * once
    assert written(Drawing(), []) == ""
