import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.vocabulary import SPECIAL_TOKENS

# The ampersand's last, which the others hold.
ENTITIES = {
    "&#124;": "|",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&apos;": "'",
    "&#91;": "[",
    "&#93;": "]",
    "&amp;": "&",
}


def words(tokenizer: BioGptTokenizer, text: str, *, normalize: bool = False) -> list[str]:
    """The document's own characters of each Moses token."""
    spans = tokenizer.tokenize_with_spans(text, normalize_punctuation=normalize)
    found: dict[int, tuple[int, int]] = {}
    for span in spans:
        start, _ = found.get(span.word, (span.start, span.end))
        found[span.word] = (start, span.end)
    return [text[start:end] for start, end in found.values()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COVID-19 rose.", ["COVID", "-", "19", "rose", "."]),
        ("p<0.05 & [TNF-\u03b1]", ["p", "<", "0.05", "&", "[", "TNF", "-", "\u03b1", "]"]),
        ("the patient's  blood\tand\nurine", ["the", "patient", "'s", "blood", "and", "urine"]),
        ("1,000 cells, in vitro ...", ["1,000", "cells", ",", "in", "vitro", "..."]),
        ("a\x00b \x07c", ["a\x00b", "c"]),
        ("the 'Jones' 'house'", ["the", "'", "Jones", "'", "'", "house'"]),
        ("", []),
    ],
)
def test_words_are_the_texts_own_characters(tiny: BioGptTokenizer, text: str, expected: list[str]) -> None:
    assert words(tiny, text) == expected


def test_replaced_punctuation_keeps_the_texts_own_characters(tiny: BioGptTokenizer) -> None:
    text = "\u201cBefore\u201d \u2013 5\u201310 mg\u2026 the e\ufb03ca\u00adcy"
    found = words(tiny, text, normalize=True)
    assert found == [
        "\u201c",
        "Before",
        "\u201d",
        "\u2013",
        "5",
        "\u2013",
        "10",
        "mg",
        "\u2026",
        "the",
        "e\ufb03ca\u00adcy",
    ]


def test_tokens_of_a_word_that_is_rewritten_have_the_span_of_all_of_it(tiny: BioGptTokenizer) -> None:
    text = "cells xDOTMULTIy rose"
    spans = tiny.tokenize_with_spans(text)
    assert [span.symbol for span in spans] == tiny.tokenize(text)
    rewritten = {(span.start, span.end) for span in spans if span.start < text.index(" rose") and span.end > 6}
    assert rewritten == {(6, 16)}


def test_a_character_that_the_tokenizer_splits_belongs_to_each_part() -> None:
    without_merges = BioGptTokenizer(SPECIAL_TOKENS, [])
    spans = without_merges.tokenize_with_spans("x & y-z")
    assert [span.symbol for span in spans if (span.start, span.end) == (2, 3)] == ["&", "a", "m", "p", ";</w>"]
    assert [span.symbol for span in spans if (span.start, span.end) == (5, 6)] == ["@", "-", "@</w>"]


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_spans_are_those_of_the_tokens(
    tiny: BioGptTokenizer, awkward_texts: SearchStrategy[str], data: st.DataObject
) -> None:
    text = data.draw(awkward_texts)
    for normalize in (False, True):
        spans = tiny.tokenize_with_spans(text, normalize_punctuation=normalize)
        assert [span.symbol for span in spans] == tiny.tokenize(text, normalize_punctuation=normalize)
        assert all(0 <= span.start < span.end <= len(text) for span in spans)
        assert [span.start for span in spans] == sorted(span.start for span in spans)
        assert [span.end for span in spans] == sorted(span.end for span in spans)
    if "DOT" not in text and "@" not in text:
        # Every character that is no white space and no control character is in some token, once.
        spans = tiny.tokenize_with_spans(text)
        covered = {place for span in spans for place in range(span.start, span.end)}
        left = [text[place] for place in range(len(text)) if place not in covered]
        assert all(character.isspace() or character < " " for character in left)
        symbols = "".join(span.symbol.removesuffix("</w>") for span in spans).replace("@-@", "-")
        for entity, character in ENTITIES.items():
            symbols = symbols.replace(entity, character)
        assert symbols == re.sub(r"[\x00-\x1f]", "", re.sub(r"\s", "", text))
