from collections.abc import Container

from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.tokenizer.punctuation import punctuation_table


def normalized(text: str, symbols: Container[str] = ()) -> str:
    return text.translate(punctuation_table(symbols))


def test_pasted_punctuation_becomes_ascii() -> None:
    assert normalized("5\u201310 \u201csmart\u201d patients\u2019 \u2026") == '5-10 "smart" patients\' ...'
    assert normalized("COVID\u201119 \ufb01bro\u00adsis") == "COVID-19 fibrosis"


def test_an_em_dash_does_not_make_one_word_of_two() -> None:
    assert normalized("the drug\u2014a statin").split() == ["the", "drug", "-", "a", "statin"]


def test_what_the_vocabulary_knows_is_left_alone() -> None:
    assert normalized("5\u201310", {"\u2013</w>"}) == "5\u201310"


def test_signs_with_a_meaning_of_their_own_are_left_alone() -> None:
    assert (
        normalized("\u2265 5 \u00b5g \u2212 5\u2032 \u00d7 \u03b1 \u00b0C")
        == "\u2265 5 \u00b5g \u2212 5\u2032 \u00d7 \u03b1 \u00b0C"
    )


@given(st.text(st.characters(max_codepoint=127, exclude_characters="`")))
def test_ascii_text_is_unchanged(text: str) -> None:
    assert normalized(text) == text
