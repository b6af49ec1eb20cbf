import pytest

from biogpt_onnx.scores.as_published.lines import FAILED, LineReader, StatementReader

LINES = LineReader()
INTERACTIONS = StatementReader(
    "the interaction between {head} and {tail} is {relation}", separator="; ", lines=LINES, strips=False
)
EXISTENCE = StatementReader("the relation between {head} and {tail} exists", separator=";", lines=LINES, strips=True)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (" a is b. ", "a is b"),
        ("a is b..", "a is b."),
        ("a is b .", "a is b "),
        ("learned1 learned2 learned9 a is b.", "a is b"),
        ("we can conclude that a is b", "a is b"),
        ("so we have that a, and we have that b", "b"),
        # The first opening of the list is removed, wherever it stands, and no other one.
        ("we have that we can conclude that a", "a"),
        ("we can conclude that we have that a", "we have that a"),
        ("in conclusion, a", "a"),
        ("in conclusion , a", "in conclusion , a"),
        ("learned1 we have that a", "we have that a"),
        ("learnedx a", "learnedx a"),
        ("", ""),
    ],
)
def test_a_text_is_freed_of_what_surrounds_its_statements(text: str, content: str) -> None:
    assert LINES.content(text) == content


def test_an_answer_is_all_that_stands_behind_the_phrase() -> None:
    assert LINES.behind("well, the answer is yes, it is.", "the answer is") == "yes, it is"
    assert LINES.behind("the answer isno", "the answer is") == "no"
    assert LINES.behind("yes", "the answer is") == FAILED


def test_the_last_and_divides_two_entities() -> None:
    (found,) = EXISTENCE.statements("the relation between acid and base and pain and fever exists.")
    assert found == {"head": "acid and base and pain", "tail": "fever"}


def test_the_last_and_before_the_last_is_divides_an_interaction() -> None:
    (found,) = INTERACTIONS.statements("the interaction between a and b and c is x is y and z.")
    assert found == {"head": "a and b", "tail": "c is x", "relation": "y and z"}


def test_statements_end_at_a_separator_and_white_space_matters_where_the_program_keeps_it() -> None:
    text = "the relation between a and b exists here;the relation between c and d exists; nothing;"
    assert [each["head"] for each in EXISTENCE.statements(text)] == ["a", "c"]
    text = "the interaction between a and b is c; the interaction between d and e is f;the interaction between g and"
    assert [each["relation"] for each in INTERACTIONS.statements(text)] == ["c", "f;the interaction between g and"]
    text = "the interaction between a and b is c;  the interaction between d and e is f"
    assert [each["relation"] for each in INTERACTIONS.statements(text)] == ["c"]


def test_empty_names_are_names() -> None:
    assert EXISTENCE.statements("the relation between  and  exists") == ({"head": "", "tail": ""},)
