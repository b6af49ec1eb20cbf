import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.tasks import Document
from biogpt_onnx.tasks.prompts.source import question_and_context, title_and_abstract
from biogpt_onnx.tasks.statements.mentions import MentionFinder

DOCUMENT = Document(
    "Two patients given Cis-Platin (100 mg/m2) had seizures; one had a  Seizure\nof p = 0.05.", title="Renal failure"
)


def found(words: str, document: Document = DOCUMENT) -> str | None:
    span = MentionFinder(title_and_abstract(document)).find(words)
    return None if span is None else document.full_text[slice(*span)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("renal failure", "Renal failure"),
        ("cis-platin", "Cis-Platin"),
        ("cis - platin", "Cis-Platin"),
        ("seizures", "seizures"),
        ("seizure", "Seizure"),  # not the beginning of "seizures"
        ("a seizure of p=0.05", "a  Seizure\nof p = 0.05"),
        ("( 100 mg / m2 )", "(100 mg/m2)"),
    ],
)
def test_words_are_found_whatever_their_spaces_and_case(words: str, expected: str) -> None:
    assert found(words) == expected


@pytest.mark.parametrize("words", ["aspirin", "platinum", "eizure", "renal failures", "", "  ", "m"])
def test_what_is_not_there_as_words_is_not_found(words: str) -> None:
    assert found(words) is None


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        ("a trial", "Atrial fibrillation in a trial.", "a trial"),
        ("a trial", "Atrial fibrillation.", None),
        ("atrial", "It was a trial.", None),
        ("FK 506", "FK506 and FK 506.", "FK 506"),
        ("fk506", "FK 506 and FK506.", "FK506"),
        ("fk 506", "FK506 alone.", "FK506"),
        ("fk506", "FK 506 alone.", "FK 506"),
        ("506", "FK506 alone.", None),
        ("parkinson's disease", "Parkinson’s disease.", "Parkinson’s disease"),
        ("stevens-johnson", "The Stevens–Johnson syndrome.", "Stevens–Johnson"),
        ("covid-19", "COVID‑19.", "COVID‑19"),
        ("lithium", "Lith­ium.", "Lith­ium"),
        ("lith", "Lith­ium.", None),
        ("a-b", "It was a — b.", "a — b"),
        ("b", "It was a—b.", "b"),
        ("pain...", "Pain…", "Pain…"),
        ("pain.", "Pain…", None),
        ("白血病", "白 血 病 was seen.", "白 血 病"),
    ],
)
def test_spaces_between_words_count_and_marks_do_not(words: str, text: str, expected: str | None) -> None:
    assert found(words, Document(text)) == expected


def test_the_full_stop_that_the_prompt_adds_to_a_title_is_no_part_of_a_name() -> None:
    document = Document("We gave it.", title="Lithium")
    assert found("lithium.", document) == "Lithium"
    assert found("lithium", document) == "Lithium"
    assert found(".", document) == "."


@pytest.mark.parametrize(
    ("name", "near", "expected"),
    [
        ("ALL", 0, (39, 42)),
        ("All", 0, (0, 3)),
        ("all", 0, (0, 3)),
        ("all", 30, (0, 3)),
        ("AlL", 30, (39, 42)),
        ("AlL", 9, (0, 3)),
        ("ALL relapsed", 0, (39, 51)),
        ("relapse", 0, None),
    ],
)
def test_the_closest_spelling_is_taken_and_then_the_closest_place(
    name: str, near: int, expected: tuple[int, int] | None
) -> None:
    text = "All children had it, and asparaginase. ALL relapsed."
    assert MentionFinder(title_and_abstract(Document(text))).closest(name, text, near) == expected


def test_a_mark_is_closer_to_itself_than_to_what_stands_for_it() -> None:
    text = "Parkinson's disease is Parkinson’s disease."
    mentions = MentionFinder(title_and_abstract(Document(text)))
    assert mentions.closest("Parkinson’s disease", text) == (23, 42)
    assert mentions.closest("Parkinson's disease", text) == (0, 19)


def test_the_sources_form_of_a_place() -> None:
    document = Document("İ gave LITHIUM.", title="Renal Failure")
    mentions = MentionFinder(title_and_abstract(document))
    assert mentions.text_at([(0, 13)]) == "renal failure"
    assert mentions.text_at([(14, 15)]) == "i̇"
    assert mentions.text_at([(0, 5), (21, 28)]) == "renal lithium"
    assert mentions.text_at([(21, 99)]) is None


def test_the_first_mention_counts() -> None:
    assert MentionFinder(title_and_abstract(Document("pain and pain"))).find("pain") == (0, 4)


def test_words_across_title_and_text_are_one_place_only_if_nothing_was_put_between() -> None:
    assert found("failure two", Document("Two cases.", title="Failure?")) is None
    assert found("failure? two", Document("Two cases.", title="Failure?")) == "Failure? Two"
    assert found("failure. two", Document("Two cases.", title="Failure")) == "Failure Two"


def test_words_of_the_prompt_are_not_the_documents() -> None:
    mentions = MentionFinder(question_and_context(Document("It works.", question="Does it?")))
    assert mentions.find("question") is None
    assert mentions.find("context") is None
    assert mentions.find("works") == (3, 8)


def test_a_letter_that_is_two_in_lower_case_keeps_spans_right() -> None:
    document = Document("İİİ then cisplatin.")
    assert found("cisplatin", document) == "cisplatin"
    assert found("i̇i̇i̇", document) == "İİİ"


@given(st.text(alphabet="aB1-( ,Σİß", max_size=30), st.data())
def test_a_span_holds_what_was_asked_for(text: str, data: st.DataObject) -> None:
    document = Document(text)
    source = title_and_abstract(document)
    start = data.draw(st.integers(0, len(source.text)))
    words = source.text[start : data.draw(st.integers(start, len(source.text)))]
    span = MentionFinder(source).find(words)
    if span is not None:
        held = document.full_text[slice(*span)]
        assert "".join(held.lower().split()).replace("ς", "σ") == "".join(words.split()).replace("ς", "σ")
