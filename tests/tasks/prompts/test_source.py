from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.tasks import Document
from biogpt_onnx.tasks.prompts.source import (
    Source,
    abstract_alone,
    ended_sentence,
    full_text,
    question_and_context,
    title_and_abstract,
)

FORMS = (title_and_abstract, abstract_alone, ended_sentence, question_and_context, full_text)


def test_a_title_without_a_full_stop_is_given_one() -> None:
    source = title_and_abstract(Document("We saw two patients.", title="Renal Failure"))
    assert source.text == "renal failure. we saw two patients."


def test_a_title_with_a_full_stop_or_a_bracket_is_not() -> None:
    for title in ("Renal failure.", "[Renal failure]", "Why?"):
        assert title_and_abstract(Document("We saw.", title=title)).text == f"{title.lower()} we saw."


def test_a_title_that_ends_with_an_underscore_counts_as_a_word() -> None:
    assert title_and_abstract(Document("We saw.", title="Gene_")).text == "gene_. we saw."


def test_a_text_without_a_title_is_read_alone() -> None:
    assert title_and_abstract(Document("Aspirin.")).text == "aspirin."


def test_interactions_are_read_from_the_text_alone() -> None:
    assert abstract_alone(Document("Warfarin and Aspirin.", title="A title")).text == "warfarin and aspirin."


def test_a_sentence_keeps_its_capitals_and_gets_its_full_stop() -> None:
    assert ended_sentence(Document(" p53 is Mutated ")).text == "p53 is Mutated."
    assert ended_sentence(Document("p53 is mutated.")).text == "p53 is mutated."


def test_a_question_stands_before_its_context_and_a_space_ends_it() -> None:
    document = Document(" Mice were given it. ", question=" Does it work? ")
    assert question_and_context(document).text == "question: Does it work? context: Mice were given it. "


def test_lower_case_may_be_longer_than_what_it_comes_from() -> None:
    document = Document("The İlaç trial")  # the first letter of the second word becomes two
    source = title_and_abstract(document)
    assert source.text == document.text.lower()
    place = source.text.index("trial")
    assert document.text[source.origins[place] or 0 :] == "trial"


@given(st.text(max_size=60), st.text(max_size=30), st.text(max_size=30))
def test_every_character_is_traced_to_the_document(text: str, title: str, question: str) -> None:
    document = Document(text, title=title, question=question)
    for form in FORMS:
        source = form(document)
        assert len(source.text) == len(source.origins)
        for character, origin in zip(source.text, source.origins, strict=True):
            if origin is not None:
                original = document.full_text[origin]
                # A sigma at a word's end has a small form of its own.
                assert character in {*original, *original.lower(), *("ς" * (original == "Σ"))}


def test_pieces_that_the_prompt_adds_come_from_nowhere() -> None:
    assert Source.of([("ab", None), ("c", 5)]).origins == (None, None, 5)


def test_a_conclusion_is_shown_only_where_the_document_has_one() -> None:
    document = Document("Mice were given it.", question="Does it work?")
    without = "question: Does it work? context: Mice were given it. "
    assert question_and_context(document).text == without
    assert question_and_context(replace(document, conclusion="  ")).text == without
    shown = question_and_context(replace(document, conclusion=" It does. "))
    assert shown.text == f"{without}answer: It does. "
    # A conclusion is no part of the full text, which spans index.
    assert shown.origins[len(without) :] == (None,) * len("answer: It does. ")
