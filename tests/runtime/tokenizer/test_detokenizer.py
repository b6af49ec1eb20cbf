import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from biogpt_onnx.runtime.tokenizer.detokenizer import Detokenizer

sacremoses = pytest.importorskip("sacremoses")
REFERENCE = sacremoses.MosesDetokenizer(lang="en")


def detokenize(text: str) -> str:
    detokenizer = Detokenizer()
    return detokenizer.push(text) + detokenizer.finish()


def check_streamed(pieces: list[str]) -> None:
    whole = REFERENCE.detokenize("".join(pieces).split())
    detokenizer = Detokenizer()
    given_out = ""
    for piece in pieces:
        given_out += detokenizer.push(piece)
        assert whole.startswith(given_out)
    assert given_out + detokenizer.finish() == whole


@settings(max_examples=1000, deadline=None)
@given(data=st.data())
def test_the_text_is_that_of_sacremoses_and_nothing_is_taken_back(
    symbol_texts: SearchStrategy[list[str]], data: DataObject
) -> None:
    check_streamed(data.draw(symbol_texts))


@pytest.mark.parametrize(
    "text",
    [
        "' a ' b ' ",
        "s ' s ' s ",
        "a @-@ @-@ @-@ b @-@",
        "( @-@ x , @-@ x ' @-@ s",
        "@-@ @-@ a",
        "&amp;lt; &am p; &&lt; &",
        "\u65e5 \u672c a \u65e5",
    ],
)
def test_what_depends_on_the_words_around_comes_out_as_with_sacremoses(text: str) -> None:
    check_streamed([text])
    check_streamed(list(text))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=6), max_size=6).map(" ".join))
def test_any_characters_come_out_as_with_sacremoses(text: str) -> None:
    assert detokenize(text) == REFERENCE.detokenize(text.split())


def test_a_word_is_given_out_before_it_is_complete() -> None:
    detokenizer = Detokenizer()
    assert detokenizer.push("Tras") == "Tras"
    assert detokenizer.push("tuzumab ") == "tuzumab"


def test_what_may_still_lean_on_the_word_before_is_held_back() -> None:
    detokenizer = Detokenizer()
    assert detokenizer.push("COVID @-") == "COVID"
    assert detokenizer.push("@ ") == "-"
    assert detokenizer.push("19 , ") == "19"
    assert detokenizer.push("a") == ", a"


def test_letters_and_punctuation_need_no_tables_for_any_currency_or_script() -> None:
    for kind in ("IsAlpha", "IsAlnum"):
        characters = getattr(sacremoses.MosesDetokenizer, kind)
        assert not set(characters) & set(sacremoses.MosesDetokenizer.IsSc)
    from sacremoses.util import is_cjk  # noqa: PLC0415 -- after importorskip

    assert not any(is_cjk(chr(code)) for code in range(0x1100))
    assert not any(is_cjk(character) for character in sacremoses.MosesDetokenizer.IsSc)
    assert not any(character.isalpha() for character in sacremoses.MosesDetokenizer.IsSc)
