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
