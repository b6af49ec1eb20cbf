"""Drawings for terminals: nothing is wider than the terminal, and every character of a text is shown."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.tasks.drawing.scene import Arrow, Bars, Entity, MarkedText, Note
from biogpt_onnx.tasks.drawing.terminal import BAR_WIDTH, TerminalDrawing

PLAIN = TerminalDrawing(20, color=False)
COLORED = TerminalDrawing(20, color=True)


def marked(text: str, roles: str = "") -> MarkedText:
    names = {"h": "head", "t": "tail", "b": "both", " ": None}
    return MarkedText(text, tuple(names[role] for role in roles.ljust(len(text))))  # type: ignore[misc] # of a role


def test_words_are_underlined_by_their_role_where_they_stand() -> None:
    assert list(PLAIN.lines([marked("ab cd ef gh", "hh tt bb")])) == ["  ab cd ef gh", "  ── ══ ≡≡"]
    assert list(PLAIN.lines([marked("ab")])) == ["  ab"]


def test_colors_take_the_place_of_underlines() -> None:
    (line,) = COLORED.lines([marked("ab cd", "hh tt")])
    assert line == "  \x1b[1;36mab\x1b[0m \x1b[1;35mcd\x1b[0m"


def test_a_line_is_broken_between_words_and_a_long_word_is_cut() -> None:
    assert list(PLAIN.lines([marked("one two three four five")])) == ["  one two three four", "  five"]
    assert list(PLAIN.lines([marked("a " + "x" * 40)])) == ["  a", "  " + "x" * 18, "  " + "x" * 18, "  xxxx"]
    # A word of just the width of a line is not cut.
    assert list(PLAIN.lines([marked("x" * 18 + " y")])) == ["  " + "x" * 18, "  y"]


@given(st.text("ab  ", max_size=60), st.integers(1, 20))
def test_no_line_is_too_wide_and_no_character_is_lost(text: str, width: int) -> None:
    lines = list(TerminalDrawing(width + 2, color=False).lines([marked(text)]))
    assert all(len(line) <= width + 2 for line in lines)
    assert "".join("".join(line.split()) for line in lines) == "".join(text.split())


def test_an_arrow_says_what_is_not_in_the_text_and_how_likely_it_is() -> None:
    arrows = [
        Arrow("lithium", "CID", "tremor", 0.75, in_source=True),
        Arrow("lithium", "CID", "tremor", None, in_source=False),
    ]
    assert list(PLAIN.lines(arrows)) == [
        "  lithium ──CID──> tremor   p 0.75",
        "  lithium ──CID──> tremor   (not in the text)",
    ]


def test_an_entity_has_its_type() -> None:
    assert list(PLAIN.lines([Entity("lithium", "Chemical", 0.5)])) == ["  lithium (Chemical)   p 0.50"]
    assert list(COLORED.lines([Entity("lithium", "Chemical", None)])) == ["  \x1b[1;36mlithium\x1b[0m (Chemical)"]


def test_bars_are_as_long_as_probabilities_and_the_best_is_colored() -> None:
    bars = Bars({"yes": 1.0, "maybe": 0.0})
    first, second = PLAIN.lines([bars])
    assert first == f"  yes    {'█' * BAR_WIDTH}  1.00"
    assert second == f"  maybe  ▏{' ' * (BAR_WIDTH - 1)}  0.00"
    first, second = COLORED.lines([bars])
    assert "\x1b[1;36m" in first
    assert "\x1b" not in second


@pytest.mark.parametrize("drawing", [PLAIN, COLORED])
def test_a_note_cannot_steer_the_terminal(drawing: TerminalDrawing) -> None:
    assert "\x1b[2J" not in "".join(chain(drawing.lines([Note("no\x1b[2J relations")])))
