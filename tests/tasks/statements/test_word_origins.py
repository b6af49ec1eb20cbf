from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.statements.word_origins import WordOrigins, word_origins


def origins(words: list[str], *pieces: tuple[str, int | None]) -> WordOrigins:
    return word_origins(words, Source.of(pieces, lower=True))


def test_words_with_characters_of_the_prompt_are_known() -> None:
    found = origins(["side", "effects.", "we"], ("Side effects", 0), (".", None), (" We", 12))
    assert found == WordOrigins(frozenset({1}), frozenset(), frozenset())


def test_parts_of_a_word_are_no_words_but_a_letter_and_a_digit_are() -> None:
    found = origins(["lithium", "𝛼", "5", "co", "₂", "-", "fu"], ("Lithium𝛼 5 CO₂-FU", 0))
    assert found == WordOrigins(frozenset(), frozenset({0, 1}), frozenset({4}))


def test_parts_of_a_character_are_no_words() -> None:
    found = origins(["i", "\N{COMBINING DOT ABOVE}", "x"], ("İ x", 0))
    assert found == WordOrigins(frozenset(), frozenset({0, 1}), frozenset())


def test_words_that_the_source_does_not_hold_are_taken_for_the_documents() -> None:
    assert origins(["other"], ("Words", None)) == WordOrigins(frozenset(), frozenset(), frozenset())
