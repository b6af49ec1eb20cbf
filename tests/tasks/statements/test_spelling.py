import pytest

from biogpt_onnx.tasks.statements.spelling import has_same_letters, is_alike


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("TNF alpha", "TNF-α"),
        ("beta-carotene", "β‐carotene"),
        ("SARS CoV 2", "SARS‐CoV‐2"),
        ("renal failure", "Renal  failure"),
        ("naive", "naïve"),
        ("µg", "mug"),
        ("+", " + "),
    ],
)
def test_marks_accents_and_greek_letters_are_written_in_several_ways(name: str, other: str) -> None:
    assert has_same_letters(name, other)


@pytest.mark.parametrize(
    ("name", "other"), [("Lithium", "ithium-"), ("+", "-"), ("b-carotene", "β-carotene"), ("5", "-")]
)
def test_other_letters_are_another_spelling(name: str, other: str) -> None:
    assert not has_same_letters(name, other)


@pytest.mark.parametrize(
    ("name", "other", "alike"),
    [
        ("b-carotene", "β‐carotene", True),
        ("hypertensive", "hypertension", True),
        ("lithium", "ed for we", False),
        ("aspirin", "tremor", False),
    ],
)
def test_half_of_the_letters_make_a_spelling(name: str, other: str, alike: bool) -> None:  # noqa: FBT001
    assert is_alike(name, other) is alike
